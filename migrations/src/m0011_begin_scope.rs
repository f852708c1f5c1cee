//! One procedure that a transaction of the service begins with. `BEGIN` and the call of a procedure are one round trip, and a call
//! is not planned. SQLite has no procedures.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Sets the limits of the transaction, binds it to the tenant with this id or else with this slug, and returns the time and the
/// authority of its caller, which it reads under the row-level security of that tenant.
///
/// Without `plan_cache_mode`, Postgres plans a query with a `LIMIT` again each time, because it expects to read fewer rows than
/// with a plan for any limit; planning costs more than the query. All queries of the service begin with the key of an index, so
/// the plan is the same. The settings are one expression, because that costs less than a query in PL/pgSQL.
const PROCEDURE: &str = "
CREATE PROCEDURE begin_scope(
    statement_ms text, idle_ms text, application text, slug text, caller uuid,
    INOUT tenant uuid, INOUT now_us bigint, INOUT role varchar, INOUT session_generation integer)
LANGUAGE plpgsql
AS $$ DECLARE ignored text; BEGIN
    ignored := set_config('statement_timeout', statement_ms, true)
            || set_config('idle_in_transaction_session_timeout', idle_ms, true)
            || set_config('application_name', application, true)
            || set_config('plan_cache_mode', 'force_generic_plan', true);
    now_us := (extract(epoch FROM clock_timestamp()) * 1000000)::bigint;
    IF slug IS NOT NULL THEN
        tenant := public.tenant_id_by_slug(slug);
    END IF;
    ignored := set_config('app.tenant_id', coalesce(tenant::text, ''), true);
    IF caller IS NOT NULL THEN
        SELECT u.role, u.session_generation INTO begin_scope.role, begin_scope.session_generation
        FROM public.users AS u
        WHERE u.id = begin_scope.caller AND u.tenant_id = begin_scope.tenant AND u.active;
    END IF;
END $$;
REVOKE ALL ON PROCEDURE begin_scope FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE begin_scope TO glasshouse_service;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            manager.get_connection().execute_unprepared(PROCEDURE).await?;
        }
        Ok(())
    }
}
