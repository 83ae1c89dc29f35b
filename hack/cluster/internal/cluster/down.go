package cluster

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/testrun-dev/testrun/hack/cluster/internal/host"
	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
	"github.com/testrun-dev/testrun/hack/cluster/internal/network"
	"github.com/testrun-dev/testrun/hack/cluster/internal/process"
)

// Down removes the cluster of this machine, whichever clone started it and however little of it is left. It asks no
// component for anything, so it works when they are dead.
func (c *Cluster) Down(ctx context.Context) error {
	if err := RequireRoot("down"); err != nil {
		return err
	}
	state := c.Layout.State()
	if owner := Owner(); owner != "" {
		state = filepath.Join(owner, ".cluster")
	}
	var errs []error
	for _, step := range []func() error{
		// The kubelet would start pods again, the controllers would make new ones.
		func() error { return c.stopAll(ctx, "containerd", "etcd") },
		// Pods, with all that runs in them.
		func() error { return host.RemoveCgroup(layout.CgroupRoot) },
		func() error { return c.stopAll(ctx) },
		// What no record names: shims, and what was started by an `up` that was interrupted before it was recorded.
		func() error { return killMarked(ctx) },
		func() error { return host.UnmountBelow(layout.RunDir) },
		func() error { return host.UnmountBelow(layout.VarDir) },
		func() error { return network.Down(ctx) },
		func() error { return host.RestoreSysctls(layout.SysctlFile) },
		removeStrays,
		func() error { return os.RemoveAll(state) },
		func() error { return os.RemoveAll(layout.RunDir) },
	} {
		errs = append(errs, step())
	}
	// The owner's name goes last: as long as anything is left, the next `down` has to know where to look.
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return os.RemoveAll(layout.VarDir)
}

// stopAll stops the recorded components, the last started first, but for those to be spared.
func (c *Cluster) stopAll(ctx context.Context, spare ...string) error {
	skip := map[string]bool{}
	for _, name := range spare {
		skip[name] = true
	}
	done := make(chan error)
	names := c.records.Names()
	for _, name := range names {
		go func() {
			id, err := c.records.Load(name)
			if err == nil && !skip[name] {
				err = process.Stop(ctx, id, 5*time.Second)
			}
			done <- err
		}()
	}
	var errs []error
	for range names {
		errs = append(errs, <-done)
	}
	return errors.Join(errs...)
}

func killMarked(ctx context.Context) error {
	var errs []error
	for _, id := range process.Marked(layout.Mark) {
		errs = append(errs, process.Kill(ctx, id))
	}
	return errors.Join(errs...)
}
