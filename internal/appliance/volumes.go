package appliance

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"millrace/internal/appliance/config"
)

// prepareDirectories makes what is missing and says what cannot be written. A
// volume that cannot be used is no more than broken as long as another one can.
func prepareDirectories(cfg config.Config) (broken []error, err error) {
	if err := prepare("node.dataDir", cfg.Node.DataDir); err != nil { // which holds the volume, if not told otherwise
		return nil, err
	}
	for _, volume := range cfg.Storage.Volumes {
		if err := prepare("storage.volumes", volume); err != nil {
			broken = append(broken, err)
		}
	}
	if len(broken) == len(cfg.Storage.Volumes) {
		return nil, errors.Join(broken...)
	}
	return broken, nil
}

func prepare(setting, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make directory %s: %w; make it writable or set %s to another", dir, err, setting)
	}
	probe, err := os.CreateTemp(dir, ".write-test-*")
	if err != nil {
		return fmt.Errorf("write in %s: %w; make it writable, free space, or set %s to another", dir, err, setting)
	}
	_, err = probe.Write(make([]byte, 4096))
	err = errors.Join(err, probe.Close(), os.Remove(probe.Name()))
	if err != nil {
		return fmt.Errorf("write in %s: %w; free space or set %s to another", dir, err, setting)
	}
	return nil
}

// checkVolumes says what of the disks would surprise: little room, volumes that
// share a disk, memory in the place of a disk, slow writes.
func checkVolumes(cfg config.Config) []Check {
	checks := []Check{checkSpace("node.dataDir", cfg.Node.DataDir, 0)}
	devices := map[uint64]string{}
	for _, volume := range cfg.Storage.Volumes {
		checks = append(checks, checkSpace("storage.volumes", volume, cfg.Storage.ReserveBytes))
		check := checkDisk(volume)
		var stat unix.Stat_t
		if unix.Stat(existing(volume), &stat) == nil {
			if other, shared := devices[stat.Dev]; shared && check.Result == "ok" {
				check.Result, check.Detail = "warn", fmt.Sprintf("%s and %s are on one disk: losing it loses both", other, volume)
				check.Hint = "mount a disk of its own at each of storage.volumes, before the node starts"
			}
			devices[stat.Dev] = volume
		}
		checks = append(checks, check)
	}
	return checks
}

// existing is the directory, or the lowest one above it that exists.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// spareBytes is what should be free beyond a reserve.
const spareBytes = 1 << 30

func checkSpace(setting, dir string, reserve int64) Check {
	check := Check{Name: "disk", Result: "ok"}
	var fs unix.Statfs_t
	if err := unix.Statfs(existing(dir), &fs); err != nil {
		check.Result, check.Detail = "fail", fmt.Sprintf("%s: %v", dir, err)
		check.Hint = "look whether the disk is there, or set " + setting + " to another directory"
		return check
	}
	free := int64(fs.Bavail) * fs.Bsize
	check.Detail = fmt.Sprintf("%.1f GiB free for %s", float64(free)/(1<<30), dir)
	if free < reserve+spareBytes {
		check.Result, check.Hint = "warn", "free space or set "+setting+" to another directory"
		if reserve > 0 {
			check.Hint += ", or lower storage.reserveBytes: the DVR keeps less than it was asked to"
		}
	}
	return check
}

// The slowest disk that does: a part must be durable before it is listed.
const (
	slowWrite  = 100 * time.Millisecond
	writeTries = 5
	tryBytes   = 256 << 10
)

// checkDisk writes a little and looks at how long that takes to be durable.
func checkDisk(volume string) Check {
	check := Check{Name: "disk", Result: "ok"}
	dir := existing(volume)
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) == nil && (fs.Type == unix.TMPFS_MAGIC || fs.Type == unix.RAMFS_MAGIC) {
		check.Result, check.Detail = "warn", volume+" lies in memory: a restart of the machine loses what it holds"
		check.Hint = "set storage.volumes to a directory on a disk"
		return check
	}
	took, err := timeWrites(dir)
	switch {
	case err != nil:
		check.Result, check.Detail = "warn", fmt.Sprintf("%s cannot be written: %v", volume, err)
	case took > slowWrite:
		check.Result, check.Detail = "warn", fmt.Sprintf("%s takes %v to make %d KiB durable", volume, took.Round(time.Millisecond), tryBytes>>10)
		check.Hint = "a disk that needs more than 100 ms makes channels degraded; use a faster one, or one that others do not use"
	default:
		check.Detail = fmt.Sprintf("%s makes %d KiB durable in %v", volume, tryBytes>>10, took.Round(10*time.Microsecond))
	}
	return check
}

// timeWrites is how long the quickest of some small writes takes.
func timeWrites(dir string) (best time.Duration, err error) {
	f, err := os.CreateTemp(dir, ".write-test-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	best = time.Hour
	for range writeTries {
		begun := time.Now()
		if _, err := f.Write(make([]byte, tryBytes)); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
		best = min(best, time.Since(begun))
	}
	return best, nil
}
