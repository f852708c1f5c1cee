//! The SQL of the runbooks runs on the schema of this version.

use std::path::Path;

use sea_orm::ConnectionTrait;

use crate::support::{Backend, TestDatabase, connect};

/// The SQL blocks of all runbooks: file name and statements.
fn blocks() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/runbooks");
    let mut blocks = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let page = std::fs::read_to_string(&path).unwrap();
        let sql = page.split("```sql\n").skip(1).filter_map(|rest| rest.split("```").next());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        blocks.extend(sql.map(|sql| (name.clone(), sql.to_owned())));
    }
    blocks
}

#[tokio::test]
async fn sql_blocks_run_on_a_migrated_database() {
    let database = TestDatabase::create(Backend::Servers).await;
    let connection = connect(&database.superuser_url()).await;
    let blocks = blocks();
    assert!(blocks.len() > 10, "not all blocks were found: {blocks:?}");
    let mut problems = Vec::new();
    for (page, sql) in blocks {
        connection.execute_unprepared("BEGIN").await.unwrap();
        if let Err(error) = connection.execute_unprepared(&sql).await {
            problems.push(format!("{page}: {error}\n{sql}"));
        }
        connection.execute_unprepared("ROLLBACK").await.unwrap();
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
