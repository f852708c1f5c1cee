//! Adds the function with which a request's first transaction checks its caller, in the statement that binds the
//! transaction to the tenant. Postgres only.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::tables::allow_service;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Runs as the service, so row-level security applies. Its arguments are evaluated first, so the tenant may be set in
/// one of them.
const FUNCTION: &str = "
CREATE FUNCTION caller_authority(tenant uuid, caller uuid) RETURNS TABLE (role varchar, session_generation integer)
LANGUAGE plpgsql VOLATILE
AS $$ BEGIN
    RETURN QUERY SELECT u.role, u.session_generation FROM public.users AS u
                 WHERE u.id = caller AND u.tenant_id = tenant AND u.active;
END $$;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(FUNCTION).await?;
            allow_service(manager, "caller_authority(uuid, uuid)").await?;
        }
        Ok(())
    }
}
