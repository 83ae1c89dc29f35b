package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

// waitHealthy waits until the component works. exited, if not nil, says that it has ended.
func (c *Cluster) waitHealthy(ctx context.Context, probe *prober, s service, exited <-chan string) error {
	const patience = 2 * time.Minute
	deadline := time.After(patience)
	for {
		err := c.healthy(ctx, probe, s)
		if err == nil {
			return nil
		}
		select {
		case exit := <-exited:
			return c.failure(s.name, fmt.Errorf("has ended (%s)", exit))
		case <-deadline:
			return c.failure(s.name, fmt.Errorf("does not work after %s: %w", patience, err))
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(150 * time.Millisecond):
		}
	}
}

// failure is an error with the end of the component's log.
func (c *Cluster) failure(name string, err error) error {
	lines, _ := tail(c.Layout.Log(name), 15)
	return fmt.Errorf("%s %w\n--- the last lines of %s:\n%s", name, err, c.Layout.Log(name), strings.Join(lines, "\n"))
}

// waitUsable waits for what a first pod needs: names, a ready node, and the things that controllers put into a
// namespace.
func (c *Cluster) waitUsable(ctx context.Context) error {
	steps := []struct {
		what, component string
		check           func(context.Context) error
	}{
		{"the node is ready", "kubelet", c.nodeReady},
		{"the default namespace is set up", "kube-controller-manager", c.namespaceReady},
		{"names are answered", "coredns", c.dnsReady},
	}
	for _, s := range steps {
		if err := c.waitFor(ctx, s.check); errors.Is(err, context.Canceled) {
			return err
		} else if err != nil {
			return c.failure(s.component, fmt.Errorf("runs, but not yet: %s: %w", s.what, err))
		}
		c.say("%s", s.what)
	}
	return nil
}

// applyDNS makes the Service that leads to CoreDNS and lets CoreDNS read what it answers from. It fails as long as the
// API server has not made its own namespaces.
func (c *Cluster) applyDNS(ctx context.Context) error {
	manifests, err := render("dns.yaml", c.settings())
	if err != nil {
		return err
	}
	_, err = c.kubectl(ctx, string(manifests), "apply", "--server-side", "--force-conflicts", "-f", "-")
	return err
}

// waitFor repeats the check until it succeeds.
func (c *Cluster) waitFor(ctx context.Context, check func(context.Context) error) error {
	deadline := time.After(time.Minute)
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return err
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (c *Cluster) nodeReady(ctx context.Context) error {
	out, err := c.kubectl(ctx, "", "get", "node", layout.NodeName, "-o",
		`jsonpath={.status.conditions[?(@.type=="Ready")].status}{" "}{.status.conditions[?(@.type=="Ready")].message}{.spec.taints}`)
	if err == nil && (!strings.HasPrefix(out, "True") || strings.Contains(out, "node.kubernetes.io/not-ready")) {
		err = fmt.Errorf("node %s: %s", layout.NodeName, strings.TrimSpace(out))
	}
	return err
}

func (c *Cluster) namespaceReady(ctx context.Context) error {
	_, err := c.kubectl(ctx, "", "get", "--namespace=default", "serviceaccount/default", "configmap/kube-root-ca.crt")
	return err
}

// dnsReady asks through the Service, as a pod does: this needs CoreDNS and kube-proxy.
func (c *Cluster) dnsReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, net.JoinHostPort(layout.DNSServiceIP, "53"))
	}}
	addresses, err := resolver.LookupHost(ctx, "kubernetes.default.svc."+layout.ClusterDomain+".")
	if err == nil && (len(addresses) != 1 || addresses[0] != layout.APIServiceIP) {
		err = fmt.Errorf("the API server's name leads to %v", addresses)
	}
	return err
}
