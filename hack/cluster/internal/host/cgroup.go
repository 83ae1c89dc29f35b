package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// CreateCgroup makes a cgroup of this name at the top of every hierarchy: one with version 2, one a controller with
// version 1, both kinds on a hybrid host.
func CreateCgroup(name string) error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	if len(mounts) == 0 {
		return errors.New("no cgroup hierarchy is mounted: mount one at /sys/fs/cgroup")
	}
	for _, m := range mounts {
		dir := filepath.Join(m.Point, name)
		if m.Type == "cgroup2" {
			delegate(m.Point)
		}
		if err := os.Mkdir(dir, 0o755); err != nil && !os.IsExist(err) {
			return fmt.Errorf("cannot create a cgroup: %w", err)
		}
		if m.Type == "cgroup2" {
			delegate(dir)
			continue
		}
		// A cpuset of version 1 starts without CPUs and memory, and nothing can be moved into it.
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			if value, err := os.ReadFile(filepath.Join(m.Point, file)); err == nil {
				if err := os.WriteFile(filepath.Join(dir, file), value, 0o644); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// delegate lets children use the controllers that a version 2 cgroup has. One that cannot be had is left out: the
// kubelet says which of them it misses.
func delegate(dir string) {
	controllers, _ := os.ReadFile(filepath.Join(dir, "cgroup.controllers"))
	for _, c := range strings.Fields(string(controllers)) {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.subtree_control"), []byte("+"+c), 0o644)
	}
}

// RemoveCgroup kills everything in the cgroup and below, and removes it.
func RemoveCgroup(name string) error {
	mounts, err := cgroupMounts()
	if err != nil {
		return err
	}
	var dirs []string
	for _, m := range mounts {
		_ = filepath.WalkDir(filepath.Join(m.Point, name), func(path string, entry os.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
	}
	// The deepest first: a cgroup with children cannot be removed.
	slices.SortFunc(dirs, func(a, b string) int { return len(b) - len(a) })
	deadline := time.Now().Add(15 * time.Second)
	for {
		dirs = slices.DeleteFunc(dirs, removed)
		if len(dirs) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("processes that do not end are still in the cgroup %s", dirs[0])
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// removed kills what is in a cgroup and reports whether the cgroup is gone.
func removed(dir string) bool {
	// A frozen process does not die before it thaws.
	_ = os.WriteFile(filepath.Join(dir, "freezer.state"), []byte("THAWED"), 0o644)
	_ = os.WriteFile(filepath.Join(dir, "cgroup.freeze"), []byte("0"), 0o644)
	pids, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	for _, field := range strings.Fields(string(pids)) {
		if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	err := syscall.Rmdir(dir)
	return err == nil || errors.Is(err, syscall.ENOENT)
}

func cgroupMounts() ([]mount, error) {
	mounts, err := readMounts()
	return slices.DeleteFunc(mounts, func(m mount) bool {
		return m.Type != "cgroup" && m.Type != "cgroup2"
	}), err
}
