//! What the tests of hard recovery share.

#![allow(dead_code, reason = "no test binary uses all of it")]

use std::path::Path;

use exutil::error::Error;
use exutil::jet::JetError;
use exutil::ops::integrity::{IntegrityOptions, check_database};
use exutil::ops::restore::{RestoreOptions, RestoreReport, restore};
use exutil::progress::Silent;
use exutil::storage::{Disk, RealDisk};

use exutil::format::loghdr::{Attachment, LOG_HEADER_BYTES, LogHeader};
use exutil::log::verify::check_head;
use exutil::storage::Memory;

use super::recovery::NOW;

/// Bytes of a log that hold its header.
pub const LOG_HEADER: usize = LOG_HEADER_BYTES;

/// The header of a log, and the databases in it.
pub fn log_header(bytes: &[u8]) -> (LogHeader, Vec<Attachment>) {
    let head = check_head(&Memory::new(bytes.to_vec())).unwrap();
    (head.header, head.attachments)
}

/// The same log as one of another stream.
pub fn of_other_stream(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let (mut header, attachments) = log_header(&bytes);
    header.sign_log.random ^= 0x55;
    header.write_to(&attachments, &mut bytes[..LOG_HEADER]);
    bytes
}

/// `exutil cc DIR`.
pub fn options(dir: &Path) -> RestoreOptions {
    RestoreOptions {
        cache: Some(64 << 20),
        ..RestoreOptions::new(dir, NOW)
    }
}

/// One run, on the real disk.
pub fn run(options: &RestoreOptions) -> Result<RestoreReport, Error> {
    run_on(options, &RealDisk)
}

/// One run.
pub fn run_on(options: &RestoreOptions, disk: &dyn Disk) -> Result<RestoreReport, Error> {
    restore(options, disk, &mut |_| {}, &Silent)
}

/// Asserts that the integrity check finds nothing.
pub fn integrity(path: &Path) {
    let report = check_database(path, &IntegrityOptions::default(), &Silent).unwrap();
    assert_eq!(
        report.jet(),
        JetError::SUCCESS,
        "{}: {:?}",
        path.display(),
        report.check.findings
    );
}

/// Every row of a database as text.
pub fn content(path: &Path) -> String {
    let out = std::process::Command::new(env!("CARGO_BIN_EXE_exutil"))
        .args(["export", "--format", "content"])
        .arg(path)
        .output()
        .unwrap();
    assert!(out.status.success(), "{out:?}");
    assert!(out.stdout.len() > 1000);
    String::from_utf8(out.stdout).unwrap()
}
