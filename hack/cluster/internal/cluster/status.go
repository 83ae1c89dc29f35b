package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
	"github.com/testrun-dev/testrun/hack/cluster/internal/process"
)

// ErrUnhealthy is returned by Status, which has then said what is wrong.
var ErrUnhealthy = errors.New("the cluster is not healthy")

// Status prints a line for each component and one for the node.
func (c *Cluster) Status(ctx context.Context) error {
	// Not even whether it is up can be told without.
	if err := RequireRoot("status"); err != nil {
		return err
	}
	if Owner() == "" {
		c.say("the cluster is not up")
		return ErrUnhealthy
	}
	if err := c.claim(); err != nil {
		return err
	}
	probe, err := c.newProber()
	if err != nil {
		return fmt.Errorf("the cluster was not started completely: %w", err)
	}
	healthy := true
	table := tabwriter.NewWriter(c.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "COMPONENT\tPID\tSTATE\tLOG")
	for _, s := range c.services() {
		id, err := c.records.Load(s.name)
		if err != nil {
			return err
		}
		pid, state := "-", "dead"
		if id.Alive() {
			pid, state = fmt.Sprint(id.PID), "running"
			if err := c.healthy(ctx, probe, s); err != nil {
				state = "not working"
			}
		}
		healthy = healthy && state == "running"
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", s.name, pid, state, c.Layout.Log(s.name))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := c.nodeReady(ctx); err != nil {
		c.say("node %s: not ready: %v", layout.NodeName, err)
		return ErrUnhealthy
	}
	c.say("node %s: ready", layout.NodeName)
	if c.simulates() {
		if err := c.simulatedNodesReady(ctx); err != nil {
			c.say("%v", err)
			return ErrUnhealthy
		}
		c.say("the simulated nodes: ready")
	}
	if !healthy {
		return ErrUnhealthy
	}
	return nil
}

// Stop ends one component: politely, or not.
func (c *Cluster) Stop(ctx context.Context, name string, kill bool) error {
	id, err := c.find(name)
	if err != nil {
		return err
	}
	if !id.Alive() {
		c.say("%s does not run", name)
		return nil
	}
	if kill {
		err = process.Kill(ctx, id)
	} else {
		err = process.Stop(ctx, id, 10*time.Second)
	}
	if err == nil {
		c.say("%s (process %d) has ended", name, id.PID)
	}
	return err
}

// Start starts one component of a cluster that is up, and waits until it works.
func (c *Cluster) Start(ctx context.Context, name string) error {
	if _, err := c.find(name); err != nil {
		return err
	}
	s, err := c.service(name)
	if err != nil {
		return err
	}
	probe, err := c.newProber()
	if err != nil {
		return err
	}
	p, err := c.startIfDead(s)
	if err != nil {
		return err
	}
	if p == nil {
		c.say("%s runs already", name)
		return nil
	}
	return c.waitHealthy(ctx, probe, s, p.Exited)
}

// find returns what is recorded about a component of this clone's cluster.
func (c *Cluster) find(name string) (process.Identity, error) {
	if _, err := c.service(name); err != nil {
		return process.Identity{}, err
	}
	if err := errors.Join(RequireRoot("this"), c.claim()); err != nil {
		return process.Identity{}, err
	}
	if Owner() == "" {
		return process.Identity{}, errors.New("the cluster is not up")
	}
	return c.records.Load(name)
}

// PrintLogs prints where the logs are, or the end of one.
func (c *Cluster) PrintLogs(name string) error {
	if name == "" {
		for _, s := range c.services() {
			c.say("%s", c.Layout.Log(s.name))
		}
		return nil
	}
	if _, err := c.service(name); err != nil {
		return err
	}
	lines, err := tail(c.Layout.Log(name), 50)
	if err != nil {
		return err
	}
	c.say("%s", strings.Join(lines, "\n"))
	return nil
}

// tail returns the last n lines of a file. It reads no more than the file's last part, however long the file is.
func tail(path string, n int) ([]string, error) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > most {
		if _, err := f.Seek(-most, 2); err != nil {
			return nil, err
		}
	}
	var lines []string
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, most+1)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines[max(0, len(lines)-n):], scanner.Err()
}
