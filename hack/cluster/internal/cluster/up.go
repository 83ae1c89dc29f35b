package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/hack/cluster/image"
	"github.com/testrun-dev/testrun/hack/cluster/internal/build"
	"github.com/testrun-dev/testrun/hack/cluster/internal/host"
	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
	"github.com/testrun-dev/testrun/hack/cluster/internal/network"
	"github.com/testrun-dev/testrun/hack/cluster/internal/process"
)

// Up brings the cluster to the state in which a pod can be created: it builds what is missing, starts what does not
// run, and waits.
func (c *Cluster) Up(ctx context.Context) error {
	begin := time.Now()
	if err := c.preflight(ctx); err != nil {
		return err
	}
	components, err := build.Select(nil)
	if err != nil {
		return err
	}
	if err := (build.Builder{Layout: c.Layout, Out: c.Out}).Build(ctx, components); err != nil {
		return err
	}
	if err := c.prepare(ctx); err != nil {
		return err
	}
	started, err := c.startAll(ctx)
	if err != nil {
		return err
	}
	if err := c.loadPauseImage(ctx); err != nil {
		return err
	}
	if err := c.waitUsable(ctx); err != nil {
		return err
	}
	if started == 0 {
		c.say("the cluster is already up")
	} else {
		c.say("the cluster is up after %s", time.Since(begin).Round(time.Second/10))
	}
	c.say("  export KUBECONFIG=%s", c.Layout.Kubeconfig())
	return nil
}

// preflight checks what no amount of building makes good.
func (c *Cluster) preflight(ctx context.Context) error {
	if err := RequireRoot("up"); err != nil {
		return err
	}
	if owner := Owner(); owner != "" && owner != c.Layout.Repo {
		if c.anyAlive() {
			return c.claim()
		}
		c.say("removing what the cluster started from %s has left behind", owner)
		if err := c.Down(ctx); err != nil {
			return err
		}
	}
	if Owner() == "" {
		if err := network.Conflict(); err != nil {
			return err
		}
	}
	return host.Install(ctx, c.Out, "the cluster", []host.Need{
		{What: "the program nft", Packages: []string{"nftables"}, Present: host.HasProgram("nft")},
		{What: "the program mount", Packages: []string{"mount"}, Present: host.HasProgram("mount")},
	})
}

// RequireRoot explains why a verb needs root on Linux.
func RequireRoot(verb string) error {
	if runtime.GOOS != "linux" {
		return fmt.Errorf("a Kubernetes node needs Linux, this is %s: use a virtual machine, or a cluster that you have",
			runtime.GOOS)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%s needs root: a Kubernetes node mounts file systems and makes network links", verb)
	}
	return nil
}

// prepare makes everything that the components expect to find.
func (c *Cluster) prepare(ctx context.Context) error {
	// Remains of a cluster none of whose processes lives (after a reboot, or a crash) are no base to build on; neither
	// are processes whose certificates are gone.
	_, noCertificates := os.Stat(c.Layout.Kubeconfig())
	if Owner() != "" && (!c.anyAlive() || noCertificates != nil) {
		c.say("removing what the last cluster has left behind")
		if err := c.Down(ctx); err != nil {
			return err
		}
	}
	for _, dir := range []string{
		layout.VarDir, layout.RunDir, layout.KubeletDir, layout.PodLogDir, layout.ShimSockets, c.Layout.EtcdData(),
	} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := os.WriteFile(layout.OwnerFile, []byte(c.Layout.Repo+"\n"), 0o644); err != nil {
		return err
	}
	if err := host.SaveSysctls(layout.SysctlFile); err != nil {
		return err
	}
	if err := host.CreateCgroup(layout.CgroupRoot); err != nil {
		return err
	}
	if err := network.Up(ctx); err != nil {
		return err
	}
	return errors.Join(c.ensurePKI(), c.writeConfig())
}

// startAll starts the components that do not run and waits until all of them work. It returns how many it started.
func (c *Cluster) startAll(ctx context.Context) (int, error) {
	probe, err := c.newProber()
	if err != nil {
		return 0, err
	}
	started := map[string]process.Started{}
	working := map[string]bool{}
	services := c.services()
	for _, s := range services {
		if s.after != "" && !working[s.after] {
			dependency, err := c.service(s.after)
			if err != nil {
				return 0, err
			}
			if err := c.waitHealthy(ctx, probe, dependency, started[s.after].Exited); err != nil {
				return 0, err
			}
			working[s.after] = true
		}
		if s.before != nil {
			if err := c.waitFor(ctx, s.before); err != nil {
				return 0, fmt.Errorf("preparing for %s: %w", s.name, err)
			}
		}
		if p, err := c.startIfDead(s); err != nil {
			return 0, err
		} else if p != nil {
			started[s.name] = *p
		}
	}
	for _, s := range services {
		if working[s.name] {
			continue
		}
		if err := c.waitHealthy(ctx, probe, s, started[s.name].Exited); err != nil {
			return 0, err
		}
	}
	return len(started), nil
}

// startIfDead returns nil when the component runs already.
func (c *Cluster) startIfDead(s service) (*process.Started, error) {
	id, err := c.records.Load(s.name)
	if err != nil {
		return nil, err
	}
	if id.Alive() {
		return nil, nil
	}
	c.say("starting %s", s.name)
	p, err := process.Start(process.Spec{
		Name: s.name, Path: c.Layout.Program(s.name), Args: s.args, Log: c.Layout.Log(s.name), Mark: layout.Mark,
		// containerd finds its shim on the PATH; the kubelet its mount program; kube-proxy nft.
		Env: []string{
			"HOME=" + layout.VarDir,
			"PATH=" + c.Layout.Bin() + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		},
	})
	if err != nil {
		return nil, err
	}
	return &p, c.records.Save(s.name, p.Identity)
}

func (c *Cluster) loadPauseImage(ctx context.Context) error {
	loaded, err := c.ctr(ctx, "images", "list", "--quiet", "name=="+layout.PauseImage)
	if err != nil || strings.TrimSpace(loaded) == layout.PauseImage {
		return err
	}
	pause := image.Program{Name: layout.PauseImage, Binary: c.Layout.Program("pause"), User: "65535:65535"}
	if err := pause.Write(c.Layout.PauseTar()); err != nil {
		return err
	}
	return c.LoadImages(ctx, []string{c.Layout.PauseTar()})
}
