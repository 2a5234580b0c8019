package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/landlock-lsm/go-landlock/landlock"
	landlocksys "github.com/landlock-lsm/go-landlock/landlock/syscall"
)

// errNoLandlock is the reason on kernels before 5.13 and on those booted
// without it.
var errNoLandlock = errors.New("the kernel has no Landlock")

// confineFiles leaves read and execute on library directories, reads of /proc
// and /sys, the device nodes, and no way to write anywhere else. On kernels
// that can, it also ends TCP and signals to other processes.
func confineFiles(policy Policy) error {
	if version, err := landlocksys.LandlockGetABIVersion(); err != nil || version < 1 {
		return errNoLandlock
	}
	libraries := append([]string{"/usr", "/lib", "/lib64", "/proc", "/sys"}, policy.Libraries...)
	rules := []landlock.Rule{
		landlock.RODirs(libraries...).IgnoreIfMissing(),
		landlock.ROFiles("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.preload").IgnoreIfMissing(),
		landlock.RODirs("/etc/ld.so.conf.d").IgnoreIfMissing(),
		landlock.RWFiles(devices()...).WithIoctlDev().IgnoreIfMissing(),
	}
	for _, path := range policy.Read {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			continue // what is not there cannot be read
		case info.IsDir():
			rules = append(rules, landlock.RODirs(path))
		default:
			rules = append(rules, landlock.ROFiles(path))
		}
	}
	if err := landlock.V9.BestEffort().Restrict(rules...); err != nil {
		return fmt.Errorf("restrict files: %w", err)
	}
	return nil
}

// devices are the nodes that a worker reads, writes and controls.
func devices() []string {
	nodes := []string{"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"}
	gpus, err := filepath.Glob("/dev/nvidia*")
	if err != nil {
		return nodes // only a malformed pattern errs
	}
	return append(nodes, gpus...)
}
