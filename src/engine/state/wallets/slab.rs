//! A slab: fixed pages, so growth never moves a record.

use crate::engine::state::wallets::position_table::PositionTable;

/// Records by position.
#[derive(Debug)]
pub struct Slab<T> {
    pages: Vec<Vec<T>>,
    /// Positions of records that were given up, for those that come.
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { pages: Vec::new(), free: Vec::new() }
    }
}

impl<T: Default> Slab<T> {
    /// So many records lie in one piece: no more than what allocators hand out whole.
    const PAGE: usize = 32 * 1024 / size_of::<T>();

    /// Returns the record at a position that [`Slab::add`] gave.
    #[must_use]
    pub fn get(&self, position: u32) -> &T {
        &self.pages[position as usize / Self::PAGE][position as usize % Self::PAGE]
    }

    /// Returns the record at a position, to change it.
    pub fn get_mut(&mut self, position: u32) -> &mut T {
        &mut self.pages[position as usize / Self::PAGE][position as usize % Self::PAGE]
    }

    /// Adds a record and returns its position.
    pub fn add(&mut self, record: T) -> u32 {
        if let Some(position) = self.free.pop() {
            *self.get_mut(position) = record;
            return position;
        }
        if self.pages.last().is_none_or(|page| page.len() == Self::PAGE) {
            self.pages.push(Vec::with_capacity(Self::PAGE));
        }
        let last = self.pages.len() - 1;
        let page = &mut self.pages[last];
        page.push(record);
        u32::try_from(last * Self::PAGE + page.len() - 1).unwrap_or(u32::MAX - 1)
    }

    /// Keeps those of the records at these places that `keep` says.
    pub fn retain(&mut self, places: &mut PositionTable, mut keep: impl FnMut(&mut T) -> bool) {
        places.retain(|position| {
            let record = self.get_mut(position);
            let is_kept = keep(record);
            if !is_kept {
                *record = T::default();
                self.free.push(position);
            }
            is_kept
        });
    }

    /// Lists the records, those that were given up as empty ones.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.pages.iter().flatten()
    }

    /// Lists the records like [`Slab::iter`], to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pages.iter_mut().flatten()
    }

    /// Returns how many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.pages.iter().map(Vec::len).sum::<usize>() - self.free.len()
    }

    /// Tells whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes on the heap, without what the records have there.
    #[must_use]
    pub fn heap_bytes(&self) -> usize {
        self.pages.len() * Self::PAGE * size_of::<T>() + self.free.capacity() * size_of::<u32>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stay_where_they_are_and_their_room_is_used_again() {
        let (mut pages, mut places) = (Slab::<u64>::default(), PositionTable::default());
        let count = 3 * u32::try_from(Slab::<u64>::PAGE).expect("few") / 2;
        for number in 0..u64::from(count) {
            places.insert(number, pages.add(number));
        }
        pages.retain(&mut places, |number| *number % 3 != 0);
        assert_eq!((pages.len(), places.len()), (count as usize * 2 / 3, count as usize * 2 / 3));
        let room = pages.heap_bytes();
        for number in (0..u64::from(count)).filter(|number| number % 3 == 0) {
            places.insert(number, pages.add(number));
        }
        assert_eq!(pages.iter().count(), count as usize);
        assert_eq!(pages.heap_bytes(), room);
        for number in 0..u64::from(count) {
            let position = places.find(number, |position| *pages.get(position) == number);
            assert!(position.is_some(), "{number}");
        }
    }
}
