//! The twins agree with plain memory, and faults strike where they are put.

use super::{Crash, Disk, Fault, Faulty, Memory, MemoryDisk, Overlay, RealDisk, Storage};

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

#[test]
fn power_takes_what_is_not_synced_sector_by_sector() {
    let path = std::path::Path::new("/d/a");
    let disk = MemoryDisk::new([(path.to_owned(), vec![1; 1200])]);
    let file = disk.open_rw(path).unwrap();
    file.write_at(100, &[2; 1000]).unwrap();
    file.set_len(2000).unwrap();
    // 412 bytes, 512 bytes, 76 bytes, the length: each by itself.
    let lost = |keep: [bool; 4]| {
        let mut keep = keep.into_iter();
        disk.power_lost(|| keep.next().unwrap()).files()[path].clone()
    };
    assert!(lost([false; 4]) == [1; 1200]);
    let middle = lost([false, true, false, true]);
    assert_eq!(
        (
            middle.len(),
            middle[511],
            middle[512],
            middle[1023],
            middle[1024]
        ),
        (2000, 1, 2, 2, 1)
    );
    file.sync().unwrap();
    assert!(disk.power_lost(|| false).files() == disk.files());
    // A file may be durable, and its name not.
    let other = std::path::Path::new("/d/b");
    disk.create(other).unwrap().sync().unwrap();
    disk.remove(path).unwrap();
    let names = |disk: &MemoryDisk| disk.files().into_keys().collect::<Vec<_>>();
    assert_eq!(names(&disk), [other]);
    assert_eq!(names(&disk.power_lost(|| false)), [path]);
    disk.sync_dir(std::path::Path::new("/elsewhere")).unwrap();
    assert_eq!(names(&disk.power_lost(|| false)), [path]);
    disk.sync_dir(std::path::Path::new("/d")).unwrap();
    assert_eq!(names(&disk.power_lost(|| false)), [other]);
}

#[test]
fn a_crash_tears_one_write_and_ends_all_others() {
    let path = std::path::Path::new("/d/a");
    let disk = MemoryDisk::new([(path.to_owned(), vec![1; 4096])]);
    let crash = Crash::after(disk.clone(), 2);
    let file = crash.open_rw(path).unwrap();
    file.sync().unwrap();
    file.write_at(0, &[2; 512]).unwrap();
    assert!(file.write_at(1024, &[3; 2048]).is_err());
    assert!(file.write_at(0, &[4; 2048]).is_err());
    assert!(file.set_len(1).is_err() && file.sync().is_err());
    assert!(crash.remove(path).is_err() && crash.create(path).is_err());
    assert_eq!(crash.steps(), 8);
    let bytes = &disk.files()[path];
    assert_eq!(
        (bytes[0], bytes[1024], bytes[2047], bytes[2048]),
        (2, 3, 3, 1)
    );
}

#[test]
fn the_real_disk_finds_names_and_refuses_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    assert!(!RealDisk.exists(&path).unwrap());
    assert!(RealDisk.open_rw(&path).is_err());
    let named = RealDisk.canonical(&path).unwrap();
    RealDisk.create(&path).unwrap().write_at(0, b"x").unwrap();
    assert_eq!(RealDisk.canonical(&path).unwrap(), named);
    assert!(RealDisk.create(&path).is_err());
    RealDisk.sync_dir(dir.path()).unwrap();
    RealDisk.remove(&path).unwrap();
    assert!(!RealDisk.exists(&path).unwrap());
    assert!(
        RealDisk
            .canonical(&dir.path().join("gone").join("a"))
            .is_err()
    );
}

#[test]
fn a_new_name_comes_with_the_old_one_going() {
    let [a, b] = ["/d/a", "/d/b"].map(|name| std::path::Path::new(name).to_owned());
    let disk = MemoryDisk::new([(a.clone(), vec![1]), (b.clone(), vec![2])]);
    disk.rename(&a, &b).unwrap();
    let content = |disk: &MemoryDisk| disk.files().into_iter().collect::<Vec<_>>();
    let renamed = [(b.clone(), vec![1])];
    assert_eq!(content(&disk), renamed);
    // Never one without the other.
    let before = [(a.clone(), vec![1]), (b.clone(), vec![2])];
    assert_eq!(content(&disk.power_lost(|| false)), before);
    assert_eq!(content(&disk.power_lost(|| true)), renamed);
    disk.sync_dir(std::path::Path::new("/d")).unwrap();
    assert_eq!(content(&disk.power_lost(|| false)), renamed);
    assert!(disk.rename(&a, &b).is_err());
    let crash = Crash::after(disk, 0);
    assert!(crash.rename(&b, &a).is_err());
    assert_eq!(content(&crash.into_inner()), renamed);

    let dir = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    RealDisk.create(&a).unwrap().write_at(0, b"x").unwrap();
    RealDisk.create(&b).unwrap();
    RealDisk.rename(&a, &b).unwrap();
    assert!(!RealDisk.exists(&a).unwrap());
    let file = RealDisk.open(&b).unwrap();
    assert_eq!(file.len().unwrap(), 1);
    assert!(file.modified().unwrap().is_some());
    assert!(RealDisk.rename(&a, &b).is_err());
}

/// Both are the file, and stay so when the power goes.
#[test]
fn a_second_name_is_of_the_same_file() {
    let [a, b, c] = ["/d/a", "/d/b", "/d/c"].map(|name| std::path::Path::new(name).to_owned());
    let dir = std::path::Path::new("/d");
    let disk = MemoryDisk::new([(a.clone(), vec![1]), (c.clone(), vec![3])]);
    disk.hard_link(&a, &b).unwrap();
    assert!(!disk.power_lost(|| false).exists(&b).unwrap());
    disk.sync_dir(dir).unwrap();
    let disk = disk.power_lost(|| false);
    disk.open_rw(&a).unwrap().write_at(0, &[9]).unwrap();
    assert_eq!(disk.files()[&b], [9]);
    // To rename one of them to the other does nothing.
    disk.rename(&b, &a).unwrap();
    assert_eq!(disk.files().len(), 3);
    disk.rename(&c, &a).unwrap();
    assert_eq!((&disk.files()[&a], &disk.files()[&b]), (&vec![3], &vec![9]));
    let kind = |ended: crate::error::Result<()>| match ended {
        Err(crate::error::Error::Io { source, .. }) => source.kind(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        kind(disk.hard_link(&a, &b)),
        std::io::ErrorKind::AlreadyExists
    );
    assert_eq!(kind(disk.hard_link(&c, &b)), std::io::ErrorKind::NotFound);
    let crash = Crash::after(disk.clone(), 0);
    assert_eq!(kind(crash.hard_link(&a, &c)), std::io::ErrorKind::Other);
    let plain = disk.without_links().power_lost(|| true);
    assert_eq!(
        kind(plain.hard_link(&a, &c)),
        std::io::ErrorKind::Unsupported
    );

    let dir = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    RealDisk.create(&a).unwrap();
    RealDisk.hard_link(&a, &b).unwrap();
    RealDisk.open_rw(&b).unwrap().write_at(0, b"x").unwrap();
    assert_eq!(RealDisk.open(&a).unwrap().len().unwrap(), 1);
    assert_eq!(
        kind(RealDisk.hard_link(&a, &b)),
        std::io::ErrorKind::AlreadyExists
    );
    RealDisk.remove(&a).unwrap();
    assert_eq!(
        kind(RealDisk.hard_link(&a, &b)),
        std::io::ErrorKind::NotFound
    );
}

/// A pipe would have it wait for ever, a character device has no end.
#[cfg(unix)]
#[test]
fn only_files_and_disks_are_opened() {
    let dir = tempfile::tempdir().unwrap();
    let [pipe, link] = ["pipe", "link"].map(|name| dir.path().join(name));
    let make = |program: &str, words: &[&std::ffi::OsStr]| {
        let made = std::process::Command::new(program).args(words).status();
        assert!(made.unwrap().success(), "{program}");
    };
    make("mkfifo", &[pipe.as_ref()]);
    make("ln", &["-s".as_ref(), pipe.as_ref(), link.as_ref()]);
    for path in [
        &pipe,
        &link,
        std::path::Path::new("/dev/null"),
        std::path::Path::new("/dev/zero"),
    ] {
        // In threads of their own, so that waiting fails the test instead of keeping it up.
        let (tell, told) = std::sync::mpsc::channel();
        let path = path.to_owned();
        std::thread::spawn(move || {
            for result in [RealDisk.open(&path), RealDisk.open_rw(&path)] {
                let _ = tell.send(result.err());
            }
        });
        for _ in 0..2 {
            let result = told.recv_timeout(std::time::Duration::from_secs(20));
            let error = result.expect("it waits").expect("it was opened");
            assert!(error.to_string().contains("neither a file nor a disk"));
            assert_eq!(error.jet().code(), -1812);
        }
    }
    let error = RealDisk.open(dir.path()).err().unwrap();
    assert_eq!(error.jet().code(), -1032);
}
