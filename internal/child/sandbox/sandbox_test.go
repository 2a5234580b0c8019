package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"

	"github.com/elastic/go-seccomp-bpf/arch"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"

	"millrace/internal/child"
)

// The sandbox is for good, so a child process (this test binary again) puts
// it on and tells what it could still do.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "sandboxed" {
		if err := confined(os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// account is what the confined process says: an empty text is success.
type account struct {
	Layers  []Layer
	Allowed map[string]string
	Denied  map[string]string
	Files   map[string]string // denied where Landlock is
}

func confined(dir, victim string) error {
	conn, err := child.Inherited()
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(victim)
	if err != nil {
		return err
	}
	// A thread from before the sandbox must be in it too.
	release, earlier := make(chan struct{}), make(chan error)
	go func() {
		runtime.LockOSThread()
		<-release
		earlier <- dial()
	}()
	runtime.Gosched()

	var told account
	if told.Layers, err = Apply(Policy{Libraries: []string{"/opt"}, Read: []string{filepath.Join(dir, "readable")}}); err != nil {
		return err
	}
	close(release)
	told.Denied = results(attacks(pid))
	told.Denied["tcp4 socket on an earlier thread"] = text(<-earlier)
	told.Allowed = results(needs(dir))
	told.Files = results(trespasses(dir))
	message, err := json.Marshal(told)
	if err != nil {
		return err
	}
	return conn.Send(1, message)
}

func results(attempts map[string]func() error) map[string]string {
	answers := map[string]string{}
	for name, attempt := range attempts {
		answers[name] = text(attempt())
	}
	return answers
}

func text(err error) string {
	if err == nil {
		return ""
	}
	if errors.Is(err, unix.EPERM) {
		return "EPERM"
	}
	return err.Error()
}

func dial() error {
	conn, err := net.Dial("tcp4", "127.0.0.1:9")
	if err == nil {
		_ = conn.Close()
	}
	return err
}

func raw(call uintptr, arguments ...uintptr) error {
	var a [6]uintptr
	copy(a[:], arguments)
	if _, _, errno := unix.RawSyscall6(call, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

const garbage = 1 << 32 // above a 32-bit argument

func attacks(victim int) map[string]func() error {
	return map[string]func() error{
		"tcp4 socket": dial,
		"udp6 socket": func() error {
			_, err := unix.Socket(unix.AF_INET6, unix.SOCK_DGRAM, 0)
			return err
		},
		"netlink socket": func() error {
			_, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, 0)
			return err
		},
		"socket with garbage above the domain": func() error { return raw(unix.SYS_SOCKET, unix.AF_UNIX|garbage, unix.SOCK_STREAM) },
		"inet socket pair":                     func() error { return raw(unix.SYS_SOCKETPAIR, unix.AF_INET, unix.SOCK_STREAM) },
		"exec":                                 func() error { return exec.Command("/bin/true").Run() },
		"exec in place":                        func() error { return unix.Exec("/bin/true", []string{"true"}, nil) },
		"ptrace":                               func() error { return unix.PtraceAttach(victim) },
		"read the server's memory":             func() error { return raw(unix.SYS_PROCESS_VM_READV, uintptr(victim)) },
		"mount":                                func() error { return unix.Mount("none", "/mnt", "tmpfs", 0, "") },
		"namespace":                            func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"bpf":                                  func() error { return raw(unix.SYS_BPF) },
		"perf":                                 func() error { return raw(unix.SYS_PERF_EVENT_OPEN) },
		"keyctl":                               func() error { return raw(unix.SYS_KEYCTL) },
		"userfaultfd":                          func() error { return raw(unix.SYS_USERFAULTFD) },
		"io_uring":                             func() error { return raw(unix.SYS_IO_URING_SETUP) },
		"module":                               func() error { return raw(unix.SYS_INIT_MODULE) },
		"rename":                               func() error { return os.Rename("/tmp/nonexistent", "/tmp/other") },
		"kill the server":                      func() error { return syscall.Kill(victim, 0) },
		"kill everything":                      func() error { return syscall.Kill(-1, 0) },
		"limits of the server": func() error {
			return raw(unix.SYS_PRLIMIT64, uintptr(victim), unix.RLIMIT_CORE)
		},
		"fork": func() error { return raw(unix.SYS_CLONE, uintptr(unix.SIGCHLD)) },
	}
}

func needs(dir string) map[string]func() error {
	return map[string]func() error{
		"read a library": func() error {
			_, err := os.ReadDir("/usr/lib")
			return err
		},
		"read /proc": func() error {
			_, err := os.ReadFile("/proc/self/status")
			return err
		},
		"read what the policy names": func() error {
			_, err := os.ReadFile(filepath.Join(dir, "readable"))
			return err
		},
		"write to a device": func() error { return os.WriteFile("/dev/null", []byte("x"), 0) },
		"random":            func() error { return raw(unix.SYS_GETRANDOM) },
		"unix socket pair": func() error {
			near, far, err := child.Pair()
			if err != nil {
				return err
			}
			return errors.Join(near.Close(), far.Close())
		},
		"threads": func() error {
			done := make(chan struct{})
			for range 20 {
				go func() {
					runtime.LockOSThread() // the thread ends with the goroutine
					done <- struct{}{}
				}()
			}
			for range 20 {
				<-done
			}
			return nil
		},
		"signal itself": func() error { return syscall.Kill(os.Getpid(), 0) },
	}
}

func trespasses(dir string) map[string]func() error {
	return map[string]func() error{
		"write a file":       func() error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o600) },
		"overwrite a file":   func() error { return os.WriteFile(filepath.Join(dir, "readable"), nil, 0o600) },
		"write to a library": func() error { return os.WriteFile("/usr/lib/millrace-test", nil, 0o600) },
		"read the passwords": func() error {
			_, err := os.ReadFile("/etc/shadow")
			return err
		},
		"delete a file": func() error { return os.Remove(filepath.Join(dir, "readable")) },
	}
}

func TestConfinedProcess(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "readable"), []byte("x"), 0o600))
	process, conn, err := child.Start(child.Command{
		Args:   []string{"sandboxed", dir, strconv.Itoa(os.Getpid())},
		Stderr: func(line string) { t.Log(line) },
	})
	require.NoError(t, err)
	defer conn.Close()
	defer process.Wait() //nolint:errcheck // asserted below
	_, message, err := conn.Receive()
	require.NoError(t, err)
	require.NoError(t, process.Wait())

	var told account
	require.NoError(t, json.Unmarshal(message, &told))
	active := map[string]bool{}
	for _, layer := range told.Layers {
		t.Logf("%s: %v, %s", layer.Name, layer.Active, layer.Reason)
		require.NotEmpty(t, layer.Reason)
		active[layer.Name] = layer.Active
	}
	require.True(t, active["no-new-privs"])
	if active["seccomp"] {
		for name, answer := range told.Denied {
			require.Equal(t, "EPERM", answer, name)
		}
	}
	for name, answer := range told.Allowed {
		require.Empty(t, answer, name)
	}
	if active["landlock"] {
		for name, answer := range told.Files {
			require.NotEmpty(t, answer, name)
		}
	}
}

func TestApplyRefusesARelativePath(t *testing.T) {
	_, err := Apply(Policy{Libraries: []string{"lib"}})
	require.ErrorContains(t, err, "not absolute")
}

// The filter is judged by a BPF machine too, which shows calls that this
// process must not make.
func TestFilterVerdicts(t *testing.T) {
	const eperm, enosys, allow = 0x00050001, 0x00050026, 0x7fff0000
	machine, err := arch.GetInfo("")
	require.NoError(t, err)
	instructions, err := program(machine)
	require.NoError(t, err)
	run := virtualMachine(t, instructions)
	native, self := uint32(machine.ID), uint64(os.Getpid())
	tests := []struct {
		name         string
		architecture uint32
		call         string
		arguments    []uint64
		want         uint32
	}{
		{"a plain call", native, "read", nil, allow},
		{"a call of another architecture", uint32(arch.I386.ID), "read", nil, eperm},
		{"the first denied", native, "execve", nil, eperm},
		{"the last denied", native, "nfsservctl", nil, eperm},
		{"flags out of sight", native, "clone3", nil, enosys},
		{"unix socket", native, "socket", []uint64{unix.AF_UNIX}, allow},
		{"inet socket", native, "socket", []uint64{unix.AF_INET}, eperm},
		{"inet socket under garbage", native, "socket", []uint64{unix.AF_UNIX | garbage}, eperm},
		{"signal to itself", native, "tgkill", []uint64{self, 1, 2}, allow},
		{"signal to another", native, "tgkill", []uint64{self + 1, 1, 2}, eperm},
		{"its own limits", native, "prlimit64", []uint64{0, 7}, allow},
		{"another's limits", native, "prlimit64", []uint64{self + 1, 7}, eperm},
		{"a thread", native, "clone", []uint64{unix.CLONE_THREAD | unix.CLONE_VM}, allow},
		{"a process in a new namespace", native, "clone", []uint64{unix.CLONE_NEWUSER}, eperm},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			number, known := machine.SyscallNames[test.call]
			require.True(t, known)
			require.Equal(t, test.want, run(test.architecture, uint32(number), test.arguments))
		})
	}
}

// virtualMachine runs the program on seccomp_data as the kernel lays it out,
// byte-swapped for a machine that loads words in network order.
func virtualMachine(t *testing.T, instructions []bpf.RawInstruction) func(architecture, call uint32, arguments []uint64) uint32 {
	t.Helper()
	program, whole := bpf.Disassemble(instructions)
	require.True(t, whole)
	vm, err := bpf.NewVM(program)
	require.NoError(t, err)
	return func(architecture, call uint32, arguments []uint64) uint32 {
		words := []uint32{call, architecture, 0, 0}
		for i := range 6 {
			var argument uint64
			if i < len(arguments) {
				argument = arguments[i]
			}
			words = append(words, uint32(argument), uint32(argument>>32))
		}
		data := make([]byte, 0, 4*len(words))
		for _, word := range words {
			data = append(data, byte(word>>24), byte(word>>16), byte(word>>8), byte(word))
		}
		verdict, err := vm.Run(data)
		require.NoError(t, err)
		return uint32(verdict)
	}
}
