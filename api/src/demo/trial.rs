//! "Try it": what the console offers to try, as requests of the demo's users.

use glasshouse_domain::user::Role;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::{CHANGED, CallError, Client, Exchange, User};

/// Something to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trial {
    /// Place an order.
    PlaceOrder,
    /// Log in as the owner of a tenant, and list its users.
    OwnerListsUsers,
    /// Log in as an admin, and list the users.
    AdminListsUsers,
    /// Log in as a member, who may not list the users.
    MemberListsUsers,
    /// Read an order as its tenant, and as another one.
    OtherTenant,
    /// Log in with a wrong password.
    WrongPassword,
}

const OWNER: User = User { tenant: "acme", role: Role::Owner };
const STRANGER: User = User { tenant: "globex", role: Role::Owner };

impl Trial {
    pub(super) async fn run(self, client: &Client) -> Result<Vec<Exchange>, CallError> {
        match self {
            Self::PlaceOrder => place_order(client).await,
            Self::OwnerListsUsers => list_users(client, Role::Owner).await,
            Self::AdminListsUsers => list_users(client, Role::Admin).await,
            Self::MemberListsUsers => list_users(client, Role::Member).await,
            Self::OtherTenant => {
                let order = place_order(client).await?.pop().ok_or(CHANGED)?;
                let path = format!("/v1/orders/{}", id(&order.body).ok_or(CHANGED)?);
                let own = client.send(OWNER, Method::GET, &path, None).await?;
                Ok(vec![own, client.send(STRANGER, Method::GET, &path, None).await?])
            }
            Self::WrongPassword => {
                let member = User { role: Role::Member, ..OWNER };
                Ok(vec![client.log_in(member, "not the password").await?.0])
            }
        }
    }
}

async fn place_order(client: &Client) -> Result<Vec<Exchange>, CallError> {
    let products = client.send(OWNER, Method::GET, "/v1/products?limit=3", None).await?;
    let product = products.body.get("items").and_then(|items| items.get(0)).and_then(id).ok_or(CHANGED)?;
    let basket = json!({ "items": [{ "product_id": product, "quantity": 2 }] });
    let order = client.send(OWNER, Method::POST, "/v1/orders", Some(basket)).await?;
    Ok(vec![products, order])
}

async fn list_users(client: &Client, role: Role) -> Result<Vec<Exchange>, CallError> {
    let user = User { role, ..OWNER };
    let (login, token) = client.log_in(user, super::data::PASSWORD).await?;
    token.ok_or(CHANGED)?;
    Ok(vec![login, client.send(user, Method::GET, "/v1/users?limit=3", None).await?])
}

fn id(object: &Value) -> Option<&str> {
    object.get("id").and_then(Value::as_str)
}
