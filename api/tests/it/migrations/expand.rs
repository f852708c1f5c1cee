//! Migrations only expand the schema: whatever the previous version reads, writes and calls is still there, and no row that it
//! writes is newly rejected. See the recipe in CONTRIBUTING.md.

use std::collections::BTreeSet;

use glasshouse_migrations::{Migrator, apply};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

use super::{NEXT_VERSION, names};
use crate::support::{TestDatabase, connect};

/// The migrations that made the first schema. No version ran before them.
const FIRST_SCHEMA: &str = "m0002_tenant_isolation";

/// What a contraction takes away, with the migration that does: something that the version before it no longer uses.
const CONTRACTIONS: [(&str, &str); 0] = [];

/// What the previous version relies on.
const PROMISES: &str = "
    SELECT format('column %s.%s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod)) AS fact
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
    UNION SELECT format('%s.%s accepts NULL', c.relname, a.attname)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
      AND NOT a.attnotnull
    UNION SELECT format('%s.%s has a default', c.relname, a.attname)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
      AND a.atthasdef
    UNION SELECT format('function %s returns %s', p.oid::regprocedure, pg_get_function_result(p.oid))
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    UNION SELECT format('the service may call %s', p.oid::regprocedure)
    FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
      AND has_function_privilege('glasshouse_service', p.oid, 'EXECUTE')
    UNION SELECT format('the service may %s %s', privilege, c.relname)
    FROM pg_class c, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS privilege
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
      AND has_table_privilege('glasshouse_service', c.oid, privilege)
    UNION SELECT format('policy %s on %s for %s', polname, polrelid::regclass, polcmd) FROM pg_policy WHERE polpermissive
    UNION SELECT format('key %s of %s', i.indexrelid::regclass, i.indrelid::regclass) FROM pg_index i
    JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = 'public'::regnamespace AND i.indisprimary";

/// What rejects rows of a table, or changes what a statement does.
const RESTRICTIONS: &str = "
    SELECT c.relname::text AS of, format('%s requires %s', c.relname, a.attname) AS fact
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
      AND a.attnotnull AND NOT a.atthasdef
    UNION SELECT c.relname, format('constraint %s', k.conname)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = 'public'::regnamespace AND k.contype IN ('c', 'f', 'p', 'u', 'x')
    UNION SELECT c.relname, format('constraint %s', u.relname)
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class u ON u.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::regnamespace AND i.indisunique
    UNION SELECT c.relname, format('policy %s', p.polname)
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE NOT p.polpermissive
    UNION SELECT c.relname, format('trigger %s', t.tgname)
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal";

struct Schema {
    tables: BTreeSet<String>,
    promises: BTreeSet<String>,
    restrictions: BTreeSet<(String, String)>,
}

impl Schema {
    async fn read(connection: &impl ConnectionTrait) -> Self {
        let rows = async |sql: &str| {
            let statement = Statement::from_string(DbBackend::Postgres, sql);
            connection.query_all_raw(statement).await.unwrap()
        };
        let tables = "SELECT relname::text AS fact FROM pg_class \
                      WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'";
        let facts = async |sql: &str| {
            rows(sql).await.iter().map(|row| row.try_get("", "fact").unwrap()).collect::<BTreeSet<String>>()
        };
        let restrictions = rows(RESTRICTIONS).await;
        let restriction =
            |row: &sea_orm::QueryResult| (row.try_get("", "of").unwrap(), row.try_get("", "fact").unwrap());
        Self {
            tables: facts(tables).await,
            promises: facts(PROMISES).await,
            restrictions: restrictions.iter().map(restriction).collect(),
        }
    }

    /// What breaks the previous version, whose schema is `self`.
    fn broken_in(&self, next: &Self) -> Vec<String> {
        let gone = self.promises.difference(&next.promises).map(|promise| format!("gone: {promise}"));
        let new = next.restrictions.difference(&self.restrictions);
        let new = new.filter(|(table, _)| self.tables.contains(table));
        gone.chain(new.map(|(_, restriction)| format!("new: {restriction}"))).collect()
    }
}

async fn owner_of_a_schema_up_to(last: Option<&str>) -> (TestDatabase, DatabaseConnection) {
    let database = TestDatabase::create_empty().await;
    let owner = connect(&database.owner_url()).await;
    apply::<Migrator>(&owner, last, |_| {}).await.unwrap();
    (database, owner)
}

#[tokio::test]
async fn every_migration_only_expands() {
    let (_database, owner) = owner_of_a_schema_up_to(Some(FIRST_SCHEMA)).await;
    let first = names().iter().position(|name| name == FIRST_SCHEMA).unwrap();
    let mut schema = Schema::read(&owner).await;
    for name in &names()[first + 1..] {
        apply::<Migrator>(&owner, Some(name), |_| {}).await.unwrap();
        let next = Schema::read(&owner).await;
        let mut broken = schema.broken_in(&next);
        broken.retain(|broken| !CONTRACTIONS.contains(&(name, broken)));
        assert!(
            broken.is_empty(),
            "{name} breaks the previous version, which runs on the new schema during a rollout and after a roll back: \
             {broken:#?}"
        );
        schema = next;
    }
    owner.close().await.unwrap();
}

/// The check above can fail.
#[tokio::test]
async fn what_breaks_the_previous_version_is_found() {
    let (_database, owner) = owner_of_a_schema_up_to(None).await;
    let schema = Schema::read(&owner).await;
    for (change, broken) in [
        ("ALTER TABLE products DROP COLUMN received", "gone: column products.received bigint"),
        ("ALTER TABLE products RENAME COLUMN name TO title", "gone: column products.name character varying"),
        ("ALTER TABLE products ALTER stock TYPE bigint", "gone: column products.stock integer"),
        ("ALTER TABLE products ADD COLUMN color varchar NOT NULL", "new: products requires color"),
        ("ALTER TABLE products ALTER received SET NOT NULL", "gone: products.received accepts NULL"),
        (
            "ALTER TABLE users ALTER session_generation DROP DEFAULT",
            "gone: users.session_generation has a default",
        ),
        ("ALTER TABLE products ADD CONSTRAINT cheap CHECK (price_minor < 9)", "new: constraint cheap"),
        ("CREATE UNIQUE INDEX one_name ON products (name)", "new: constraint one_name"),
        ("ALTER TABLE orders DROP CONSTRAINT orders_pkey CASCADE", "gone: key orders_pkey of orders"),
        ("ALTER TABLE tenants RENAME TO customers", "gone: the service may SELECT tenants"),
        ("REVOKE DELETE ON products FROM glasshouse_service", "gone: the service may DELETE products"),
        (
            "DROP FUNCTION outbox_backlog()",
            "gone: function outbox_backlog() returns TABLE(pending bigint, oldest timestamp with time zone)",
        ),
        (
            "REVOKE EXECUTE ON FUNCTION outbox_backlog() FROM glasshouse_service",
            "gone: the service may call outbox_backlog()",
        ),
        ("DROP POLICY slug_lookup ON tenants", "gone: policy slug_lookup on tenants for r"),
        ("CREATE POLICY narrow ON orders AS RESTRICTIVE USING (false)", "new: policy narrow"),
    ] {
        owner.execute_unprepared(&format!("BEGIN; {change}")).await.unwrap();
        let found = schema.broken_in(&Schema::read(&owner).await);
        assert!(found.iter().any(|found| found == broken), "{change}: {found:#?}");
        owner.execute_unprepared("ROLLBACK").await.unwrap();
    }
    for expansion in [
        NEXT_VERSION,
        "ALTER TABLE users DROP CONSTRAINT users_role_known;
         ALTER TABLE users ADD CONSTRAINT users_role_known CHECK (role IN ('member', 'admin', 'owner', 'auditor'))",
        "ALTER TABLE orders DROP CONSTRAINT orders_state_known",
    ] {
        owner.execute_unprepared(&format!("BEGIN; {expansion}")).await.unwrap();
        assert_eq!(schema.broken_in(&Schema::read(&owner).await), Vec::<String>::new(), "{expansion}");
        owner.execute_unprepared("ROLLBACK").await.unwrap();
    }
    owner.close().await.unwrap();
}
