package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// place is a namespace of a test, and a kubeconfig that leads there.
type place struct {
	t          *testing.T
	namespace  string
	kubeconfig string
}

// newPlace makes a namespace that goes when the test ends.
func newPlace(t *testing.T, name string) *place {
	t.Helper()
	p := &place{t: t, namespace: name, kubeconfig: filepath.Join(t.TempDir(), "kubeconfig")}
	config, err := os.ReadFile(os.Getenv("KUBECONFIG"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.kubeconfig, config, 0o600); err != nil {
		t.Fatal(err)
	}
	p.must("kubectl", "create", "namespace", name)
	p.must("kubectl", "config", "set-context", "--current", "--namespace="+name)
	t.Cleanup(func() { p.must("kubectl", "delete", "namespace", name, "--wait=false") })
	return p
}

func (p *place) must(program string, args ...string) string {
	p.t.Helper()
	out, err := command([]string{"KUBECONFIG=" + p.kubeconfig}, program, args...)
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// apply applies an object that is given as text.
func (p *place) apply(object string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "object.yaml")
	if err := os.WriteFile(file, []byte(object), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.must("kubectl", "apply", "-f", file)
}

// patience is for how long a helper waits.
const patience = 90 * time.Second

// waitForText waits until a command prints all of the texts, and returns what it prints.
func (p *place) waitForText(texts []string, program string, args ...string) string {
	p.t.Helper()
	for begin := time.Now(); ; <-time.After(300 * time.Millisecond) {
		out := p.must(program, args...)
		missing := ""
		for _, text := range texts {
			if !strings.Contains(out, text) {
				missing = text
			}
		}
		if missing == "" {
			return out
		}
		if time.Since(begin) > patience {
			p.t.Fatalf("%s %s prints\n%s\nwant %q in it", program, strings.Join(args, " "), out, missing)
		}
	}
}

// fromNothing empties the cluster and the node, and says who may pull.
func fromNothing(t *testing.T, private bool) {
	t.Helper()
	for _, args := range [][]string{{"make", "cluster-clear"}, {"go", "run", "-C", "hack/cluster", ".", "unload-image", shop.host}} {
		if _, err := command(nil, args[0], args[1:]...); err != nil {
			t.Fatal(err)
		}
	}
	shop.private.Store(private)
}

// expectPulled checks that the node has pulled the image of a program from the registry, as the release names it.
func (p *place) expectPulled(namespace, selector, program, digest string) {
	p.t.Helper()
	ids := p.must("kubectl", "get", "pods", "-n", namespace, "-l", selector, "-o", "jsonpath={.items[*].status.containerStatuses[*].imageID}")
	if want := shop.host + "/testrun/" + program + "@" + digest; ids != want {
		p.t.Errorf("the pod runs the image %q, want %q", ids, want)
	}
	if shop.pulls("testrun/"+program) == 0 {
		p.t.Errorf("nobody has asked the registry for the image of the %s", program)
	}
}
