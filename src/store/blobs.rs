//! Blobs as lists of values; what is wrong with one, in words.

use crate::format::store::ids::WideId;
use crate::format::store::prop_blob::PropBlob;
use crate::format::store::subobjects::Subobjects;
use crate::format::store::tags::TagList;

/// An id of Exchange 2013 and later.
pub(super) fn check_long_id(bytes: &[u8]) -> Result<(), String> {
    WideId::parse(bytes)
        .map(drop)
        .map_err(|fault| fault.to_string())
}

/// A property blob, to its end: whether its ids ascend.
pub(super) fn prop_blob(bytes: &[u8]) -> Result<bool, String> {
    let blob = PropBlob::parse(bytes).map_err(|fault| fault.to_string())?;
    Ok(blob.ascending)
}

/// The numbers of a message's attachments.
pub(super) fn subobjects(bytes: &[u8], show: &mut dyn FnMut(i64)) -> Result<(), String> {
    let list = Subobjects::parse(bytes).map_err(|fault| fault.to_string())?;
    list.inids().for_each(show);
    Ok(())
}

/// The tags of a list.
pub(super) fn tags(bytes: &[u8], show: &mut dyn FnMut(u32)) -> Result<(), String> {
    let list = TagList::parse(bytes).map_err(|fault| fault.to_string())?;
    list.tags().for_each(|tag| show(tag.0));
    Ok(())
}
