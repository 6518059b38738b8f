//! One copy of a checkpoint.
#![no_main]

use exutil::format::checkpoint::{CHECKPOINT_BYTES, Checkpoint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = Checkpoint::attachments(data);
    let Ok(checkpoint) = Checkpoint::parse(data) else {
        return;
    };
    let attachments = Checkpoint::attachments(data).unwrap_or_default();
    let mut page = vec![0; CHECKPOINT_BYTES];
    checkpoint.write_to(&attachments, &mut page);
    let again = Checkpoint::parse(&page).unwrap();
    assert_eq!(again.checkpoint, checkpoint.checkpoint);
    let _ = Checkpoint::attachments(&page);
    let _ = exutil::ops::identify::identify(&page);
});
