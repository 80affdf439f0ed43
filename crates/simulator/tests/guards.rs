//! The list of guards fits the sources.

use std::collections::BTreeSet;
use std::path::Path;

use paywright_simulator::Guard;

#[test]
fn every_guard_is_found_in_its_file_and_can_be_removed() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let guards = Guard::all();
    for guard in &guards {
        let source = std::fs::read_to_string(workspace.join(&guard.file)).unwrap();
        let without = guard.remove_from(&source).unwrap_or_else(|error| panic!("{error}"));
        assert_ne!(without, source, "{}", guard.name);
        assert!(guard.purpose.ends_with('.') && !guard.changes.is_empty(), "{}", guard.name);
    }
    let names: BTreeSet<_> = guards.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names.len(), guards.len(), "guard names are unique");
    assert!(guards.len() >= 25, "{}", guards.len());
}
