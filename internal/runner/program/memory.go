//go:build linux

package program

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryKills counts the processes of a container that the kernel kills because memory ran out. The kernel has the count in the
// container's control group: see its manual, cgroup-v2 (memory.events) and cgroup-v1 (memory.oom_control).
type memoryKills struct {
	// file holds the count; empty if it cannot be found.
	file   string
	before int64
}

// newMemoryKills counts from now on. proc is /proc/self.
func newMemoryKills(proc string) memoryKills {
	for _, file := range killCounters(proc) {
		if count, ok := readKills(file); ok {
			return memoryKills{file, count}
		}
	}
	return memoryKills{}
}

// count is the number since then. It is 0 if the kernel does not count.
func (m memoryKills) count() int64 {
	count, ok := readKills(m.file)
	if !ok {
		return 0
	}
	return max(0, count-m.before)
}

// readKills reads the line "oom_kill N" of such a file.
func readKills(file string) (int64, bool) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(text) {
		if fields := bytes.Fields(line); len(fields) == 2 && string(fields[0]) == "oom_kill" {
			count, err := strconv.ParseInt(string(fields[1]), 10, 64)
			return count, err == nil
		}
	}
	return 0, false
}

// killCounters are the files that may hold the count, by proc_pid_mountinfo(5) and cgroups(7). A container may see the whole
// tree of control groups, or its own group as the root of it.
func killCounters(proc string) []string {
	groups, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	if err != nil {
		return nil
	}
	mounts, err := os.ReadFile(filepath.Join(proc, "mountinfo"))
	if err != nil {
		return nil
	}
	var files []string
	for mount := range strings.Lines(string(mounts)) {
		place, kind, _ := strings.Cut(mount, " - ")
		fields, kinds := strings.Fields(place), strings.Fields(kind)
		if len(fields) < 5 || len(kinds) < 3 {
			continue
		}
		file, group := "memory.events", groupOf(string(groups), "")
		switch {
		case kinds[0] == "cgroup2":
		case kinds[0] == "cgroup" && hasMemory(kinds[2]):
			file, group = "memory.oom_control", groupOf(string(groups), "memory")
		default:
			continue
		}
		root, dir := fields[3], fields[4]
		if below, ok := strings.CutPrefix(group, strings.TrimSuffix(root, "/")); ok {
			files = append(files, filepath.Join(dir, below, file))
		}
		files = append(files, filepath.Join(dir, file))
	}
	return files
}

// groupOf is the group of this process in the tree with that controller. Version 2 has one tree, without a name.
func groupOf(groups, controller string) string {
	for line := range strings.Lines(groups) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && (fields[1] == controller || controller != "" && hasMemory(fields[1])) {
			return fields[2]
		}
	}
	return "/"
}

func hasMemory(controllers string) bool {
	for controller := range strings.SplitSeq(controllers, ",") {
		if controller == "memory" {
			return true
		}
	}
	return false
}
