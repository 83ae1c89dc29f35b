package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

// withSimulation is a cluster whose nodes are simulated, as far as files go.
func withSimulation(t *testing.T) *Cluster {
	t.Helper()
	c := New(layout.Layout{Repo: t.TempDir()}, nil)
	file := c.Layout.ConfigFile(kwokFile)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, kwokConfig, 0o644); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestKwokIsAComponentOnlyOfAClusterThatSimulates(t *testing.T) {
	if _, err := withSimulation(t).service(kwok); err != nil {
		t.Error(err)
	}
	if _, err := New(layout.Layout{Repo: t.TempDir()}, nil).service(kwok); err == nil {
		t.Error("kwok is a component of a cluster without simulated nodes")
	}
}

func TestWhichSimulatedNodesAreMissingAndWhichAreTooMany(t *testing.T) {
	tests := map[string]struct {
		existing         []string
		n                int
		missing, surplus []string
	}{
		"none yet":         {nil, 2, []string{"simulated-0", "simulated-1"}, nil},
		"as many already":  {[]string{"simulated-0", "simulated-1"}, 2, nil, nil},
		"one in between":   {[]string{"simulated-0", "simulated-2"}, 3, []string{"simulated-1"}, nil},
		"fewer":            {[]string{"simulated-0", "simulated-1", "simulated-10"}, 2, nil, []string{"simulated-10"}},
		"none any more":    {[]string{"simulated-0"}, 0, nil, []string{"simulated-0"}},
		"none, none there": {nil, 0, nil, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			missing, surplus := compareNodes(test.existing, test.n)
			if !slices.Equal(missing, test.missing) || !slices.Equal(surplus, test.surplus) {
				t.Errorf("missing %q, too many %q", missing, surplus)
			}
		})
	}
}

func TestASimulatedNodeKeepsOthersAway(t *testing.T) {
	manifests := simulatedNodes([]string{"simulated-0", "simulated-1"})
	for _, want := range []string{"name: simulated-1\n", "kubernetes.io/hostname: simulated-1,", "effect: NoSchedule", "kwok.x-k8s.io/node: fake"} {
		if !strings.Contains(manifests, want) {
			t.Errorf("%q is not in\n%s", want, manifests)
		}
	}
}

func TestANodeIsReadyOnceItsTaintIsGone(t *testing.T) {
	got := notReady("ready True kwok.x-k8s.io/node\ntainted True kwok.x-k8s.io/node node.kubernetes.io/not-ready\nsilent Unknown kwok.x-k8s.io/node\nnew\n")
	if !slices.Equal(got, []string{"tainted", "silent", "new"}) {
		t.Errorf("got %q", got)
	}
}
