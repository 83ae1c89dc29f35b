package e2e

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/browser"
)

// The application is a real one: Catalyst and DBIx::Class with a PostgreSQL. It knows nothing of Kubernetes.
func TestAClickInAnApplicationBecomesAFinishedRowWithItsSteps(t *testing.T) {
	w := newSerialWorld(t)
	w.openShop()
	url, chromium := "http://"+w.forward(w.Namespace, "service/shop", "80"), startChromium(t)
	tab, stop, err := browser.Another(chromium)
	w.Must(err)
	t.Cleanup(stop)
	shop := &person{world: w, tab: tab, url: url}
	shop.insists("the application opens", chromedp.Navigate(url+"/"), chromedp.WaitVisible(chromedp.CSS("#run")))

	shop.insists("somebody clicks Run", chromedp.Click(chromedp.CSS("#run")), chromedp.WaitVisible(chromedp.CSS("#job-1")))
	w.waitForRow(shop, "1", "finished", "Passed", "ok the row says which test it is", "ok adds up")

	// The program dies while a test runs: the row ends all the same.
	shop.insists("somebody clicks Run again", chromedp.Click(chromedp.CSS("#run")), chromedp.WaitVisible(chromedp.CSS("#job-2")))
	w.does(nil, "delete", "pod", "--selector=app.kubernetes.io/component=jobtable", "--grace-period=0", "--force")
	w.waitForRow(shop, "2", "finished", "Passed", "ok adds up")
	runs := &v1alpha1.TestRunList{}
	w.Must(w.Client.List(w.Ctx, runs, client.InNamespace(w.Namespace)))
	if len(runs.Items) != 2 {
		t.Errorf("two clicks made %d runs", len(runs.Items))
	}
	if table := w.does(nil, "get", "jobtable", "shop"); !strings.Contains(table, "True") || !strings.Contains(table, "Working") {
		t.Errorf("kubectl get says:\n%s", table)
	}
}

// openShop deploys what make demo-jobtable deploys, in the test's namespace, and waits until all of it works.
func (w *world) openShop() {
	w.T.Helper()
	rendered, err := exec.CommandContext(w.Ctx, "kubectl", "kustomize", filepath.Join("..", "..", "hack", "demo-jobtable"), "--load-restrictor=LoadRestrictionsNone").Output()
	w.Must(err)
	w.does(bytes.ReplaceAll(rendered, []byte("namespace: shop"), []byte("namespace: "+w.Namespace)), "apply", "-f", "-")
	for _, deployment := range []string{"db", "shop", "testrun-jobtable"} {
		w.does(nil, "rollout", "status", "deployment/"+deployment, "--timeout=3m")
	}
	w.does(nil, "wait", "jobtable/shop", "--for=condition=Ready", "--timeout=2m")
	table := w.does(nil, "get", "jobtable", "shop", "-o", "yaml")
	trigger := w.does([]byte(table), "exec", "-i", "deployment/testrun-jobtable", "--", "/jobtable", "trigger", "-")
	w.does([]byte(trigger), "exec", "-i", "deployment/db", "--", "psql", "-h", "/tmp", "-U", "shop", "-d", "shop", "-v", "ON_ERROR_STOP=1")
}

// does runs kubectl in the test's namespace, and returns what it prints.
func (w *world) does(in []byte, args ...string) string {
	w.T.Helper()
	command := exec.CommandContext(w.Ctx, "kubectl", append([]string{"--namespace=" + w.Namespace}, args...)...)
	command.Stdin = bytes.NewReader(in)
	output, err := command.CombinedOutput()
	if err != nil {
		w.T.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return string(output)
}

// waitForRow waits until the application's own list shows the row with those words. The page loads itself anew.
func (w *world) waitForRow(p *person, id string, words ...string) {
	w.T.Helper()
	w.WaitFor("row "+id+" says "+strings.Join(words, ", "), func() bool {
		if err := try(p.tab, chromedp.Navigate(p.url+"/")); err != nil {
			return false // the page may be loading itself anew
		}
		text, err := chromedp.Run(p.tab, chromedp.Evaluate[string](fmt.Sprintf(`document.querySelector('#job-%s')?.innerText ?? ''`, id)))
		if err != nil {
			return false
		}
		text = strings.Join(strings.Fields(text), " ")
		for _, word := range words {
			if !strings.Contains(text, word) {
				return false
			}
		}
		return true
	})
}
