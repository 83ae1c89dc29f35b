// Package cluster starts, watches and removes the processes that together are a Kubernetes cluster of one node.
package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
	"github.com/testrun-dev/testrun/hack/cluster/internal/process"
)

// Cluster is the cluster as seen from one clone of the repository.
type Cluster struct {
	Layout layout.Layout
	Out    io.Writer

	records process.Records
	lock    net.Listener
}

// New does not touch anything yet.
func New(l layout.Layout, out io.Writer) *Cluster {
	return &Cluster{Layout: l, Out: out, records: process.Records(layout.RecordDir)}
}

func (c *Cluster) say(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }

// Lock keeps a second `up` or `down` out until this program ends. The lock is an abstract socket: it leaves no file
// behind and cannot be left locked by a program that was killed.
func (c *Cluster) Lock() error {
	lock, err := net.Listen("unix", "@testrun-cluster")
	if err != nil {
		return fmt.Errorf("another up, down, start or stop of the cluster is running: wait for it (%w)", err)
	}
	c.lock = lock
	return nil
}

// Owner is the clone that started the cluster of this machine, or "" if there is none.
func Owner() string {
	data, _ := os.ReadFile(layout.OwnerFile)
	return strings.TrimSpace(string(data))
}

// claim checks that the cluster of this machine, if there is one, is this clone's.
func (c *Cluster) claim() error {
	if owner := Owner(); owner != "" && owner != c.Layout.Repo {
		return fmt.Errorf("the cluster on this machine was started from %s; to stop it: go run -C %s . down",
			owner, c.Layout.Module())
	}
	return nil
}

// anyAlive says whether a recorded process still runs.
func (c *Cluster) anyAlive() bool {
	for _, name := range c.records.Names() {
		if id, err := c.records.Load(name); err == nil && id.Alive() {
			return true
		}
	}
	return false
}

func (c *Cluster) kubectl(ctx context.Context, stdin string, args ...string) (string, error) {
	args = append([]string{"--kubeconfig", c.Layout.Kubeconfig()}, args...)
	cmd := exec.CommandContext(ctx, c.Layout.Program("kubectl"), args...)
	cmd.Stdin = strings.NewReader(stdin)
	return output(cmd)
}

func (c *Cluster) ctr(ctx context.Context, args ...string) (string, error) {
	global := []string{"--address", layout.ContainerdSocket, "--namespace", "k8s.io"}
	return output(exec.CommandContext(ctx, c.Layout.Program("ctr"), append(global, args...)...))
}

func output(cmd *exec.Cmd) (string, error) {
	var errors strings.Builder
	cmd.Stderr = &errors
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(errors.String()))
	}
	return string(out), err
}

// LoadImages imports images into the node, so that pods can use them without pulling.
func (c *Cluster) LoadImages(ctx context.Context, tars []string) error {
	if err := RequireRoot("load-image"); err != nil {
		return err
	}
	if err := c.claim(); err != nil {
		return err
	}
	for _, tar := range tars {
		if _, err := os.Stat(tar); err != nil {
			return err
		}
		// The label keeps the kubelet from ever throwing the image away: it could not be pulled again.
		out, err := c.ctr(ctx, "images", "import", "--label", "io.cri-containerd.pinned=pinned", tar)
		if err != nil {
			return fmt.Errorf("%s: %w (is the cluster up?)", tar, err)
		}
		for _, image := range importedImages(out) {
			c.say("loaded %s", image)
		}
	}
	return nil
}

// importedImages picks the names out of what ctr prints: a line with the name and "saved" for each image.
func importedImages(output string) []string {
	var images []string
	for line := range strings.Lines(output) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[1] == "saved" {
			images = append(images, fields[0])
		}
	}
	return images
}
