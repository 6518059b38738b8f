//! The twins agree with plain memory, and faults strike where they are put.

use super::{Fault, Faulty, Memory, Overlay, Storage};

fn content(storage: &impl Storage) -> Vec<u8> {
    storage.read_start(storage.len().unwrap() as usize).unwrap()
}

#[test]
fn overlay_equals_memory_and_leaves_its_base_alone() {
    let start: Vec<u8> = (0..20_000u32).map(|at| at as u8).collect();
    let plain = Memory::new(start.clone());
    let overlay = Overlay::new(Memory::new(start.clone())).unwrap();
    let mut seed = 1u64;
    for _ in 0..300 {
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let (a, b) = ((seed >> 33) % 30_000, (seed >> 48) % 9_000);
        for storage in [&plain as &dyn Storage, &overlay] {
            if seed.is_multiple_of(5) {
                storage.set_len(a).unwrap();
            } else {
                storage.write_at(a, &vec![seed as u8; b as usize]).unwrap();
            }
        }
        assert_eq!(content(&plain), content(&overlay));
        let mut part = vec![0; 5000];
        let count = overlay.read_at(a / 2, &mut part).unwrap();
        let mut same = vec![0; 5000];
        assert_eq!(plain.read_at(a / 2, &mut same).unwrap(), count);
        assert_eq!(part[..count], same[..count]);
    }
    assert_eq!(content(overlay.base()), start);
}

#[test]
fn faults_strike_where_they_are_put() {
    let disk = Faulty::new(
        Memory::new(vec![7; 100]),
        vec![
            Fault::BadRange {
                offset: 40,
                len: 10,
            },
            Fault::EndsAt(80),
            Fault::StopAtWrite(1),
        ],
    );
    let mut buffer = [0; 20];
    assert_eq!(disk.read_at(20, &mut buffer).unwrap(), 20);
    assert!(disk.read_at(45, &mut buffer).is_err());
    assert_eq!(disk.read_at(70, &mut buffer).unwrap(), 10);
    assert!(disk.read_exact_at(70, &mut buffer).is_err());
    disk.write_at(0, &[1]).unwrap();
    assert!(disk.write_at(1, &[1]).is_err());
    assert_eq!(disk.into_inner().into_bytes()[..2], [1, 7]);
}

#[test]
fn a_full_disk_and_a_stopped_one_refuse() {
    let disk = Faulty::new(
        Memory::default(),
        vec![Fault::Full(10), Fault::StopAtSync(1)],
    );
    disk.write_at(0, &[1; 10]).unwrap();
    assert_eq!(
        disk.write_at(5, &[1; 10]).unwrap_err().kind(),
        std::io::ErrorKind::StorageFull
    );
    assert!(disk.set_len(11).is_err());
    disk.sync().unwrap();
    assert!(disk.sync().is_err());
    assert!(disk.write_at(0, &[1]).is_err());
}
