//! Sign-up: creates a tenant with its first user, the owner.

use time::OffsetDateTime;

use crate::failure::StoreFailure;
use crate::id::{TenantId, UserId};
use crate::login::{HashingFailed, PasswordHasher};
use crate::tenant::{Plan, Tenant};
use crate::user::{Role, SessionGeneration, User};
use crate::values::{Email, Name, Password, PasswordHash, Slug};

/// The request to create a tenant.
#[derive(Clone, Debug)]
pub struct SignUp {
    /// The unique name with which the tenant's users log in.
    pub slug: Slug,
    /// The display name.
    pub name: Name,
    /// The e-mail address of the owner.
    pub owner_email: Email,
    /// The password of the owner.
    pub owner_password: Password,
}

/// The port of sign-up to the storage.
pub trait SignUpStore {
    /// Writes the tenant and its owner in one transaction.
    fn create_tenant(
        &self,
        tenant: &Tenant,
        owner: &User,
        owner_password: &PasswordHash,
    ) -> impl Future<Output = Result<(), SignUpError>> + Send;
}

/// Why a sign-up failed. Nothing is stored.
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

/// Creates a tenant on the plan [`Plan::Free`] and its owner, both with the creation time `now`. Other plans are sold: an
/// operator sets them.
///
/// # Errors
/// [`SignUpError`] when the slug is taken, or hashing or the storage fails.
pub async fn sign_up(
    store: &impl SignUpStore,
    hasher: &impl PasswordHasher,
    request: SignUp,
    now: OffsetDateTime,
) -> Result<(Tenant, User), SignUpError> {
    let hash = hasher.hash(request.owner_password).await?;
    let (slug, name) = (request.slug, request.name);
    let tenant = Tenant { id: TenantId::new(), slug, name, plan: Plan::Free, created_at: now };
    let owner = User {
        id: UserId::new(),
        email: request.owner_email,
        role: Role::Owner,
        active: true,
        sessions: SessionGeneration::FIRST,
        version: 1,
        created_at: now,
    };
    store.create_tenant(&tenant, &owner, &hash).await?;
    Ok((tenant, owner))
}
