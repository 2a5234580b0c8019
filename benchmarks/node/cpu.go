package node

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// TreeCPU is the user and system time of all of the appliance's processes.
func (n *Node) TreeCPU() time.Duration { return treeCPU(n.Pid()) }

// treeCPU is the user and system time of a process and its children.
func treeCPU(pid int) time.Duration {
	total := processCPU(fmt.Sprint(pid))
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return total
	}
	for _, path := range tasks {
		children, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended
		}
		words := bufio.NewScanner(strings.NewReader(string(children)))
		words.Split(bufio.ScanWords)
		for words.Scan() {
			total += processCPU(words.Text())
		}
	}
	return total
}

// processCPU reads fields 14 and 15 of /proc/PID/stat, after the name in
// brackets, which may hold spaces.
func processCPU(pid string) time.Duration {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	var user, system int64
	if _, err := fmt.Sscan(fields[11]+" "+fields[12], &user, &system); err != nil {
		return 0
	}
	return time.Duration(user+system) * clockTick
}
