//go:build linux

package program

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each is what /proc/self and a container's file systems hold under one version of control groups, and one way to mount them.
func TestProcessesThatTheKernelKillsForMemoryAreCounted(t *testing.T) {
	const v1 = "oom_kill_disable 0\nunder_oom 0\noom_kill %\n"
	const v2 = "low 0\nhigh 0\nmax 52\noom 9\noom_kill %\noom_group_kill 0\n"
	tests := map[string]struct {
		groups, mounts string
		file, text     string
	}{
		"version 2, a namespace of its own": {
			"0::/\n", "30 29 0:26 / ROOT/cgroup ro,nosuid - cgroup2 cgroup rw,nsdelegate\n", "cgroup/memory.events", v2,
		},
		"version 2, the whole tree": {
			"0::/kubepods/pod1/c1\n", "30 29 0:26 / ROOT/cgroup ro - cgroup2 cgroup rw\n", "cgroup/kubepods/pod1/c1/memory.events", v2,
		},
		"version 1, the container's part": {
			"4:memory:/kubepods/pod1/c1\n1:cpu:/\n", "30 29 0:26 /kubepods/pod1/c1 ROOT/memory ro master:9 - cgroup cgroup rw,memory\n", "memory/memory.oom_control", v1,
		},
		"version 1, the whole tree": {
			"7:hugetlb,memory:/kubepods/pod1/c1\n", "30 29 0:26 / ROOT/memory ro - cgroup cgroup rw,hugetlb,memory\n", "memory/kubepods/pod1/c1/memory.oom_control", v1,
		},
		"both, memory in version 1": {
			"4:memory:/c1\n0::/\n",
			"30 29 0:26 / ROOT/unified ro - cgroup2 cgroup rw\n31 29 0:27 /c1 ROOT/memory ro - cgroup cgroup rw,memory\n", "memory/memory.oom_control", v1,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			write := func(path, text string) {
				path = filepath.Join(root, path)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("self/cgroup", test.groups)
			write("self/mountinfo", strings.ReplaceAll(test.mounts, "ROOT", root))
			write(test.file, strings.ReplaceAll(test.text, "%", "4"))
			kills := newMemoryKills(filepath.Join(root, "self"))
			if got := kills.count(); got != 0 {
				t.Errorf("%d at first", got)
			}
			write(test.file, strings.ReplaceAll(test.text, "%", "6"))
			if got := kills.count(); got != 2 {
				t.Errorf("%d after two", got)
			}
		})
	}
}

func TestWhereNobodyCountsThereIsNothingToReport(t *testing.T) {
	if got := newMemoryKills(t.TempDir()).count(); got != 0 {
		t.Errorf("%d", got)
	}
}

// The machine's own, whatever it is like.
func TestThisMachinesCounterIsFound(t *testing.T) {
	if len(killCounters("/proc/self")) == 0 {
		t.Skip("no control groups are mounted here")
	}
	if newMemoryKills("/proc/self").file == "" {
		t.Errorf("none of %q can be read", killCounters("/proc/self"))
	}
}
