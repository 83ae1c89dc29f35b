package cluster

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/testrun-dev/testrun/hack/cluster/internal/build"
)

// kwok plays the kubelets of simulated nodes, as this file tells it.
const (
	kwok     = "kwok"
	kwokFile = "kwok.yaml"
)

//go:embed simulation/kwok.yaml
var kwokConfig []byte

// simulates says whether there are simulated nodes: kwok is then one of the components.
func (c *Cluster) simulates() bool {
	_, err := os.Stat(c.Layout.ConfigFile(kwokFile))
	return err == nil
}

// Simulate gives a cluster that is up n simulated nodes; 0 takes them and kwok away.
func (c *Cluster) Simulate(ctx context.Context, n int) error {
	if err := errors.Join(RequireRoot("simulate"), c.claim()); err != nil {
		return err
	}
	if Owner() == "" {
		return errors.New("the cluster is not up")
	}
	if n == 0 {
		return c.stopSimulating(ctx)
	}
	components, err := build.Select([]string{kwok})
	if err != nil {
		return err
	}
	if err := (build.Builder{Layout: c.Layout, Out: c.Out}).Build(ctx, components); err != nil {
		return err
	}
	rights, err := render("kwok-rights.yaml", c.settings())
	if err != nil {
		return err
	}
	if _, err := c.kubectl(ctx, string(rights), "apply", "--server-side", "-f", "-"); err != nil {
		return err
	}
	if err := os.WriteFile(c.Layout.ConfigFile(kwokFile), kwokConfig, 0o644); err != nil {
		return err
	}
	if err := c.Start(ctx, kwok); err != nil {
		return err
	}
	if err := c.setSimulatedNodes(ctx, n); err != nil {
		return err
	}
	if err := c.waitFor(ctx, c.simulatedNodesReady); err != nil {
		return c.failure(kwok, fmt.Errorf("runs, but %w", err))
	}
	c.say("%d simulated nodes are ready", n)
	return nil
}

func (c *Cluster) stopSimulating(ctx context.Context) error {
	if !c.simulates() {
		c.say("there are no simulated nodes")
		return nil
	}
	if err := c.setSimulatedNodes(ctx, 0); err != nil {
		return err
	}
	if err := c.Stop(ctx, kwok, false); err != nil {
		return err
	}
	if err := os.Remove(c.Layout.ConfigFile(kwokFile)); err != nil {
		return err
	}
	c.say("the simulated nodes are gone")
	return nil
}

// setSimulatedNodes creates the nodes that are missing, and deletes those that are too many.
func (c *Cluster) setSimulatedNodes(ctx context.Context, n int) error {
	out, err := c.kubectl(ctx, "", "get", "nodes", "--selector=type=kwok", "-o", "jsonpath={.items[*].metadata.name}")
	if err != nil {
		return err
	}
	missing, surplus := compareNodes(strings.Fields(out), n)
	if len(surplus) > 0 {
		if _, err := c.kubectl(ctx, "", append([]string{"delete", "nodes"}, surplus...)...); err != nil {
			return err
		}
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.kubectl(ctx, simulatedNodes(missing), "create", "-f", "-")
	return err
}

// compareNodes says which of the first n simulated nodes are missing, and which there are beyond those.
func compareNodes(existing []string, n int) (missing, surplus []string) {
	wanted := make([]string, n)
	for i := range wanted {
		wanted[i] = fmt.Sprintf("simulated-%d", i)
		if !slices.Contains(existing, wanted[i]) {
			missing = append(missing, wanted[i])
		}
	}
	for _, name := range existing {
		if !slices.Contains(wanted, name) {
			surplus = append(surplus, name)
		}
	}
	return missing, surplus
}

// simulatedNodes are the manifests. The taint keeps away whatever does not ask for such a node.
func simulatedNodes(names []string) string {
	var manifests strings.Builder
	for _, name := range names {
		fmt.Fprintf(&manifests, `---
apiVersion: v1
kind: Node
metadata:
  name: %s
  labels: {type: kwok, kubernetes.io/hostname: %[1]s, kubernetes.io/os: linux}
  annotations: {kwok.x-k8s.io/node: fake}
spec:
  taints:
  - {key: kwok.x-k8s.io/node, value: fake, effect: NoSchedule}
`, name)
	}
	return manifests.String()
}

// simulatedNodesReady waits for the taint that a new node has until it is ready, too.
func (c *Cluster) simulatedNodesReady(ctx context.Context) error {
	out, err := c.kubectl(ctx, "", "get", "nodes", "--selector=type=kwok", "-o",
		`jsonpath={range .items[*]}{.metadata.name}{" "}{.status.conditions[?(@.type=="Ready")].status}{" "}{.spec.taints[*].key}{"\n"}{end}`)
	if err != nil {
		return err
	}
	if waiting := notReady(out); len(waiting) > 0 {
		return fmt.Errorf("%d simulated nodes are not ready: %s", len(waiting), strings.Join(waiting, ", "))
	}
	return nil
}

// notReady picks the names out of lines with a name, the value of the condition Ready, and the keys of the taints.
func notReady(lines string) []string {
	var waiting []string
	for line := range strings.Lines(lines) {
		fields := strings.Fields(line)
		if len(fields) > 0 && (len(fields) < 2 || fields[1] != "True" || slices.Contains(fields, "node.kubernetes.io/not-ready")) {
			waiting = append(waiting, fields[0])
		}
	}
	return waiting
}
