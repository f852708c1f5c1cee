//! Sign-up: a new tenant with its first user, the owner.

use time::OffsetDateTime;

use crate::failure::StoreFailure;
use crate::id::{TenantId, UserId};
use crate::login::{HashingFailed, PasswordHasher};
use crate::tenant::{Plan, Tenant};
use crate::user::{Role, User};
use crate::values::{Email, Name, Password, PasswordHash, Slug};

/// What somebody who signs up tells us.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The tenant's name in logins.
    pub slug: Slug,
    /// The tenant's name for people.
    pub name: Name,
    /// What it wants to pay for.
    pub plan: Plan,
    /// The owner's address.
    pub owner_email: Email,
    /// The owner's password.
    pub owner_password: Password,
}

/// What sign-up needs from the storage.
pub trait SignUpStore {
    /// Writes both in one transaction.
    fn create_tenant(
        &self,
        tenant: &Tenant,
        owner: &User,
        owner_password: &PasswordHash,
    ) -> impl Future<Output = Result<(), SignUpError>> + Send;
}

/// Why nobody was signed up.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    /// Another tenant has this slug.
    #[error("this slug is taken: choose another one")]
    SlugTaken,
    /// The password could not be hashed.
    #[error(transparent)]
    Hashing(#[from] HashingFailed),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreFailure),
}

/// Creates a tenant and its owner.
///
/// # Errors
/// When the slug is taken, or hashing or the storage fails.
pub async fn sign_up(
    store: &impl SignUpStore,
    hasher: &impl PasswordHasher,
    request: SignUp,
    now: OffsetDateTime,
) -> Result<(Tenant, User), SignUpError> {
    let hash = hasher.hash(request.owner_password).await?;
    let (slug, name, plan) = (request.slug, request.name, request.plan);
    let tenant = Tenant { id: TenantId::new(), slug, name, plan, created_at: now };
    let owner = User {
        id: UserId::new(),
        email: request.owner_email,
        role: Role::Owner,
        active: true,
        version: 1,
        created_at: now,
    };
    store.create_tenant(&tenant, &owner, &hash).await?;
    tracing::info!(tenant_id = %tenant.id, user_id = %owner.id, "user_registered");
    Ok((tenant, owner))
}
