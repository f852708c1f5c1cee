//! Postgres isolates the tenants: row-level security is on and forced, its policies are as the migrations made them, and
//! the roles of the service are bound by them.

use glasshouse_domain::failure::StoreFailure;

use super::check::Check;
use super::report::{Finding, Outcomes};
use super::snapshot::Snapshot;
use crate::db::pool::get;

pub(super) const CHECKS: [Check; 3] = [FORCED, POLICIES, ROLES];

const FORCED: Check = Check {
    name: "row_level_security_is_forced",
    proves: "Every table of the service has row-level security that binds its owner too.",
};
const POLICIES: Check = Check {
    name: "policies_isolate_tenants",
    proves: "Every table shows the service the rows of the transaction's tenant, and no policy shows it more.",
};
const ROLES: Check = Check {
    name: "service_roles_are_bound",
    proves: "No role of the service is exempt from row-level security: none is a superuser, has BYPASSRLS, or owns a table.",
};

/// The tables of the schema. That of the migrations has no rows of tenants, and neither have those of an extension.
const TABLES: &str = "\
    SELECT c.oid, c.relname::text AS subject, c.relowner, c.relrowsecurity, c.relforcerowsecurity, \
           CASE c.relname WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END AS column_name \
    FROM pg_class AS c \
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
      AND c.relname <> 'seaql_migrations' \
      AND NOT EXISTS (SELECT FROM pg_depend \
                      WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e')";

const UNFORCED: &str = "\
    SELECT subject, 'row-level security is ' || CASE WHEN relrowsecurity THEN 'not forced' ELSE 'off' END AS detail, \
           NOT (relrowsecurity AND relforcerowsecurity) AS is_finding \
    FROM ({tables}) AS tables ORDER BY subject";

/// A table needs the policy of its tenant, for every role and command, which may read the tenant in a subquery. Another policy that permits rows may concern the
/// owner alone, as which the functions of the schema run.
const OTHER_POLICIES: &str = "\
    SELECT subject, \
           CASE WHEN own.polname IS NULL THEN 'the policy of the tenant is missing' \
                ELSE 'a policy shows other rows to the service: ' || wide.names END AS detail, \
           own.polname IS NULL OR wide.names IS NOT NULL AS is_finding \
    FROM ({tables}) AS tables \
    LEFT JOIN pg_policy AS own \
      ON own.polrelid = tables.oid AND own.polpermissive AND own.polcmd = '*' AND own.polroles = '{0}' \
     AND own.polwithcheck IS NULL \
     AND replace(replace(pg_get_expr(own.polqual, own.polrelid), '( SELECT ', ''), ' AS tenant)', '') = '(' || tables.column_name \
         || ' = (NULLIF(current_setting(''app.tenant_id''::text, true), ''''::text))::uuid)' \
    LEFT JOIN LATERAL ( \
        SELECT string_agg(polname::text, ', ' ORDER BY polname) AS names FROM pg_policy \
        WHERE polrelid = tables.oid AND polpermissive AND polname IS DISTINCT FROM own.polname \
          AND polroles <> ARRAY[tables.relowner]) AS wide ON true \
    ORDER BY subject";

/// The members of the group of the service, except for the role that runs the audit, and the role `$1` of `DATABASE_URL`.
const SERVICE_ROLES: &str = "\
    WITH RECURSIVE members (oid) AS ( \
        SELECT oid FROM pg_roles WHERE rolname = 'glasshouse_service' \
        UNION \
        SELECT pg_auth_members.member FROM pg_auth_members JOIN members ON pg_auth_members.roleid = members.oid), \
    roles AS ( \
        SELECT rolname::text AS subject, rolsuper, rolbypassrls, EXISTS ( \
                   SELECT FROM ({tables}) AS tables WHERE pg_has_role(pg_roles.oid, tables.relowner, 'MEMBER')) AS owns \
        FROM pg_roles \
        WHERE (oid IN (SELECT oid FROM members) AND rolname <> current_user) OR rolname = $1) \
    SELECT subject, CASE WHEN rolsuper THEN 'the role is a superuser' \
                         WHEN rolbypassrls THEN 'the role has BYPASSRLS' \
                         ELSE 'the role owns tables' END AS detail, \
           rolsuper OR rolbypassrls OR owns AS is_finding \
    FROM roles ORDER BY subject";

/// Makes the checks. `service_role` is the login role in `DATABASE_URL`.
pub(super) async fn check(
    snapshot: &Snapshot<'_>,
    service_role: Option<&str>,
    outcomes: &mut Outcomes,
) -> Result<(), StoreFailure> {
    if snapshot.is_sqlite() {
        for check in CHECKS {
            outcomes.not_made(check, "SQLite has no row-level security");
        }
        return Ok(());
    }
    let unforced = snapshot.query(&UNFORCED.replace("{tables}", TABLES), []).await?;
    let policies = snapshot.query(&OTHER_POLICIES.replace("{tables}", TABLES), []).await?;
    let role = service_role.unwrap_or_default().into();
    let roles = snapshot.query(&SERVICE_ROLES.replace("{tables}", TABLES), [role]).await?;
    for (check, rows) in [(FORCED, unforced), (POLICIES, policies), (ROLES, roles)] {
        let outcome = outcomes.of(check);
        for row in &rows {
            outcome.examined += 1;
            if get(row, "is_finding")? {
                let (subject, detail) = (get(row, "subject")?, get(row, "detail")?);
                outcome.find(Finding { tenant: None, subject, detail });
            }
        }
    }
    Ok(())
}
