//! The sort that the engine's dump of page references shows. It does not keep the order of equal elements, and of
//! several references to one page only the first in the sorted order counts: to print the same numbers, the same
//! steps have to be gone. They are those of the GNU C++ library's `std::sort`: median of three, partition, and one
//! insertion pass over the whole. [verified on every table of 103 dumps; an engine built with another library may
//! count a few reads differently]

/// Stretches of at most this length are left to the insertion pass.
const SMALL: usize = 16;

/// Sorts by `key`.
pub(super) fn sort<T: Copy, K: Ord>(items: &mut [T], key: impl Fn(T) -> K + Copy) {
    let depth = 2 * items.len().checked_ilog2().unwrap_or_default();
    partition_all(items, key, depth);
    let head = items.len().min(SMALL);
    for at in 1..items.len() {
        let item = items[at];
        let first = if at < head && key(item) < key(items[0]) {
            0
        } else {
            // Behind the head something not greater always lies before.
            let mut to = at;
            while to > 0 && key(item) < key(items[to - 1]) {
                to -= 1;
            }
            to
        };
        items.copy_within(first..at, first + 1);
        items[first] = item;
    }
}

fn partition_all<T: Copy, K: Ord>(
    mut items: &mut [T],
    key: impl Fn(T) -> K + Copy,
    mut depth: u32,
) {
    while items.len() > SMALL {
        if depth == 0 {
            heap_sort(items, key);
            return;
        }
        depth -= 1;
        let cut = partition(items, key);
        let (left, right) = items.split_at_mut(cut);
        partition_all(right, key, depth);
        items = left;
    }
}

/// Brings the median of three to the front, then everything smaller before the returned place.
fn partition<T: Copy, K: Ord>(items: &mut [T], key: impl Fn(T) -> K + Copy) -> usize {
    let [low, middle, high] = [1, items.len() / 2, items.len() - 1];
    let less = |a: usize, b: usize| key(items[a]) < key(items[b]);
    let median = match (less(low, middle), less(middle, high), less(low, high)) {
        (true, true, _) | (false, false, false) => middle,
        (true, false, true) | (false, true, false) => high,
        (true, false, false) | (false, _, true) => low,
    };
    items.swap(0, median);
    let pivot = key(items[0]);
    let (mut left, mut right) = (1, items.len());
    loop {
        while key(items[left]) < pivot {
            left += 1;
        }
        right -= 1;
        while pivot < key(items[right]) {
            right -= 1;
        }
        if left >= right {
            return left;
        }
        items.swap(left, right);
        left += 1;
    }
}

/// What the library does where the partitions go wrong too often.
fn heap_sort<T: Copy, K: Ord>(items: &mut [T], key: impl Fn(T) -> K + Copy) {
    for parent in (0..items.len() / 2).rev() {
        let value = items[parent];
        sink(items, parent, value, key);
    }
    for last in (1..items.len()).rev() {
        let value = items[last];
        items[last] = items[0];
        sink(&mut items[..last], 0, value, key);
    }
}

/// Lets the hole go down to a leaf, then `value` up from there.
fn sink<T: Copy, K: Ord>(items: &mut [T], top: usize, value: T, key: impl Fn(T) -> K + Copy) {
    let mut hole = top;
    loop {
        let right = 2 * hole + 2;
        let child = match right.cmp(&items.len()) {
            std::cmp::Ordering::Less if key(items[right]) < key(items[right - 1]) => right - 1,
            std::cmp::Ordering::Less => right,
            std::cmp::Ordering::Equal => right - 1,
            std::cmp::Ordering::Greater => break,
        };
        items[hole] = items[child];
        hole = child;
    }
    while hole > top {
        let parent = (hole - 1) / 2;
        if key(items[parent]) >= key(value) {
            break;
        }
        items[hole] = items[parent];
        hole = parent;
    }
    items[hole] = value;
}

#[cfg(test)]
mod tests {
    use super::sort;

    #[test]
    fn everything_is_sorted_and_nothing_lost() {
        let mut state = 1_u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for len in (0..70).chain([1000, 5000]) {
            for below in [1, 3, 50, 1 << 20] {
                let mut items: Vec<u64> = (0..len).map(|_| next(below)).collect();
                let mut sorted = items.clone();
                sorted.sort_unstable();
                sort(&mut items, |it| it);
                assert_eq!(items, sorted, "{len} {below}");
            }
        }
        let mut heap: Vec<u64> = (0..100).map(|it| it * 37 % 101).collect();
        super::heap_sort(&mut heap, |it| it);
        assert!(heap.is_sorted());
        let mut falling: Vec<u64> = (0..3000).rev().collect();
        sort(&mut falling, |it| it);
        assert!(falling.is_sorted());
    }
}
