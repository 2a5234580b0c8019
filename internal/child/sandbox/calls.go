package sandbox

import (
	"fmt"
	"os"
	"unsafe"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// denied are the calls that answer EPERM whatever their arguments. Names that
// the architecture does not have are left out.
func denied() []string {
	return []string{
		// new programs and processes
		"execve", "execveat", "fork", "vfork", "uselib",
		// other processes
		"ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "kcmp",
		"pidfd_getfd", "pidfd_send_signal", "tkill", "migrate_pages", "move_pages",
		// file systems and namespaces
		"mount", "umount2", "pivot_root", "move_mount", "fsopen", "fsconfig", "fsmount", "fspick", "open_tree",
		"mount_setattr", "chroot", "setns", "unshare", "quotactl", "swapon", "swapoff", "fanotify_init",
		"open_by_handle_at", "name_to_handle_at",
		// what files are and who may use them
		"mknod", "mknodat", "chmod", "fchmod", "fchmodat", "chown", "fchown", "lchown", "fchownat",
		"link", "linkat", "symlink", "symlinkat", "rename", "renameat", "renameat2", "truncate",
		"setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
		// the kernel and the machine
		"kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "bpf", "perf_event_open",
		"userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key",
		"reboot", "acct", "syslog", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname",
		"setdomainname", "iopl", "ioperm", "modify_ldt", "personality", "vhangup", "lookup_dcookie", "nfsservctl",
	}
}

// conditional are the calls that answer EPERM for some arguments. A condition
// must hold for garbage in the upper half of a 32-bit argument too, so these
// say what is allowed and deny what differs.
func conditional() []seccomp.NameWithConditions {
	self := uint64(os.Getpid())
	differs := func(call string, argument uint32, allowed uint64) seccomp.NameWithConditions {
		return seccomp.NameWithConditions{Name: call, Conditions: seccomp.ArgumentConditions{
			{Argument: argument, Operation: seccomp.NotEqual, Value: allowed},
		}}
	}
	return []seccomp.NameWithConditions{
		differs("socket", 0, unix.AF_UNIX),
		differs("socketpair", 0, unix.AF_UNIX),
		differs("kill", 0, self),
		differs("tgkill", 0, self),
		differs("rt_sigqueueinfo", 0, self),
		differs("rt_tgsigqueueinfo", 0, self),
		differs("prlimit64", 0, 0),
		// Threads yes, processes no.
		{Name: "clone", Conditions: seccomp.ArgumentConditions{
			{Argument: 0, Operation: seccomp.BitsNotSet, Value: unix.CLONE_THREAD},
		}},
	}
}

// filterCalls installs the deny list on every thread.
func filterCalls() error {
	machine, err := arch.GetInfo("")
	if err != nil {
		return fmt.Errorf("find system calls of this machine: %w", err)
	}
	instructions, err := program(machine)
	if err != nil {
		return fmt.Errorf("assemble system call filter: %w", err)
	}
	filter := make([]unix.SockFilter, len(instructions))
	for i, in := range instructions {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// seccomp(2): a positive result is a thread that could not follow.
	thread, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fprog)))
	switch {
	case errno != 0:
		return fmt.Errorf("install system call filter: %w", errno)
	case thread != 0:
		return fmt.Errorf("install system call filter: thread %d does not follow", thread)
	}
	return nil
}

func program(machine *arch.Info) ([]bpf.RawInstruction, error) {
	deny := seccomp.SyscallGroup{Action: seccomp.ActionErrno | seccomp.Action(unix.EPERM)}
	for _, name := range denied() {
		if _, known := machine.SyscallNames[name]; known {
			deny.Names = append(deny.Names, name)
		}
	}
	for _, call := range conditional() {
		if _, known := machine.SyscallNames[call.Name]; known {
			deny.NamesWithCondtions = append(deny.NamesWithCondtions, call)
		}
	}
	policy := seccomp.Policy{
		DefaultAction: seccomp.ActionAllow,
		Syscalls: []seccomp.SyscallGroup{
			// Its flags lie in memory, out of a filter's sight; after ENOSYS
			// libraries use clone.
			{Names: []string{"clone3"}, Action: seccomp.ActionErrno | seccomp.Action(unix.ENOSYS)},
			deny,
		},
	}
	instructions, err := policy.Assemble()
	if err != nil {
		return nil, err
	}
	// The assembled policy lets calls of another architecture pass (32-bit
	// ones on amd64); here they are refused first.
	const archOffset = 4 // of seccomp_data.arch
	guard := []bpf.Instruction{
		bpf.LoadAbsolute{Off: archOffset, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(machine.ID), SkipTrue: 1},
		bpf.RetConstant{Val: uint32(seccomp.ActionErrno) | uint32(unix.EPERM)},
	}
	return bpf.Assemble(append(guard, instructions...))
}
