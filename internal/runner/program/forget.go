//go:build linux

package program

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// forget lets the kernel take the program's own pages out of this process's memory: its code and its constants, which it maps from the file
// again when they are used. The start of a program touches much that is never used afterwards, and so does the start of a connection. It
// costs some microseconds.
func forget() {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(maps)) {
		// 00400000-00633000 r-xp 00000000 fe:00 1234   /testrun/runner; see proc_pid_maps(5)
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[5] != self || strings.Contains(fields[1], "w") {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		begin, wrong := strconv.ParseUint(from, 16, 64)
		end, alsoWrong := strconv.ParseUint(to, 16, 64)
		if wrong != nil || alsoWrong != nil || end <= begin {
			continue
		}
		// The pages are those of a file, and this process cannot write to them. So they are the same afterwards.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(begin), uintptr(end-begin), unix.MADV_DONTNEED)
	}
}
