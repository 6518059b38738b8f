//! Repair with several threads: the file is the same for any number of them, also where tables are larger than what may wait
//! for the writer, and none is waited for in vain when the writer gives up.

#[path = "common/repairing.rs"]
mod repairing;
#[path = "../examples/build_testdata/samples.rs"]
#[allow(dead_code, reason = "the example uses the rest")]
mod samples;

use std::io::Cursor;

use exutil::build::DatabaseBuilder;
use exutil::db::Database;
use exutil::format::ids::PageSize;
use exutil::jet::JetError;
use exutil::progress::Silent;
use exutil::repair::{Losses, Rewritten};
use exutil::salvage::Inventory;
use exutil::storage::{Fault, Faulty, Memory, Storage};
use repairing::{checked, open, rewritten, serious};

/// Of one table so much waits for the writer. [repair::ahead]
const WAITING: usize = 4 << 20;

/// A store with two large tables of messages, one page in fifty damaged.
fn damaged() -> Database {
    let options = samples::options(PageSize::K8, 290, 1).unwrap();
    let mut builder = DatabaseBuilder::new(Cursor::new(Vec::new()), options).unwrap();
    for batch in 0..2 {
        let store = samples::StoreSize {
            mailboxes: 20,
            folders: 300,
            messages: 14_000,
            body: 4_000,
            suffix: format!("-{batch}"),
        };
        samples::store_tables(&mut builder, store).unwrap();
    }
    let (bytes, _) = builder.finish().unwrap();
    let mut bytes = bytes.into_inner();
    assert!(bytes.len() > 8 * WAITING, "{} bytes", bytes.len());
    let size = PageSize::K8.bytes();
    for page in (60..bytes.len() / size).step_by(50) {
        bytes[page * size + 300..][..64].fill(0xA5);
    }
    open(bytes)
}

fn write(db: &Database, out: &dyn Storage, threads: usize) -> Result<Rewritten, JetError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(|| run_in(db, out))
}

fn run_in(db: &Database, out: &dyn Storage) -> Result<Rewritten, JetError> {
    let (check, inventory) = (checked(db), Inventory::scan(db, None, &Silent));
    rewritten(db, &inventory, &check, out).map_err(|error| error.jet())
}

#[test]
fn any_number_of_threads_writes_the_same_file() {
    let db = damaged();
    let run = |threads| {
        let out = Memory::default();
        let losses: Losses = write(&db, &out, threads).unwrap().losses;
        (out.into_bytes(), losses)
    };
    let (one, losses) = run(1);
    let losing = losses.tables.iter().filter(|table| table.long_values > 0);
    assert!(losing.count() >= 4, "several large tables are damaged");
    let losses = format!("{losses:?}");
    for threads in [2, 3, 8] {
        let (several, of_several) = run(threads);
        assert!(several == one, "{threads} threads write another file");
        let of_several = format!("{of_several:?}");
        assert!(of_several == losses, "{threads} threads tell otherwise");
    }
    // All threads that there are write at once, and none is left for what they have others do.
    rayon::broadcast(|_| {
        let out = Memory::default();
        run_in(&db, &out).unwrap();
        assert!(out.into_bytes() == one);
    });
    assert_eq!(serious(&open(one)), Vec::<String>::new());
}

#[test]
fn a_full_disk_ends_it_at_any_point() {
    let db = damaged();
    for threads in [1, 4] {
        for mib in [0, 1, 5, 12, 20] {
            let small = Faulty::new(Memory::default(), vec![Fault::Full(mib << 20)]);
            let error = write(&db, &small, threads).unwrap_err();
            assert_eq!(error, JetError::DISK_FULL, "{mib} MiB, {threads} threads");
        }
    }
}
