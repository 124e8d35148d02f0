//! The notes of a store: small texts and numbers, each under a name.

use redb::ReadableDatabase as _;

use super::{NOTES, Store, StoreError, access};

impl Store {
    /// Lists the names of the notes that begin with a text, in order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn names_of_notes(&self, beginning: &str) -> Result<Vec<String>, StoreError> {
        let read = self.database()?.begin_read().map_err(access("read"))?;
        let table = read.open_table(NOTES).map_err(access("read"))?;
        let mut names = Vec::new();
        for entry in table.range(beginning..).map_err(access("read"))? {
            let (name, _) = entry.map_err(access("read"))?;
            if !name.value().starts_with(beginning) {
                break;
            }
            names.push(name.value().to_owned());
        }
        Ok(names)
    }
}
