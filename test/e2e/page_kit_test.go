package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/browser"
)

// forwarded is where kubectl port-forward listens.
var forwarded = regexp.MustCompile(`Forwarding from (127\.0\.0\.1:\d+)`)

// forwardServer leads to the server as people are told to.
func (w *world) forwardServer() (url string) {
	w.T.Helper()
	return "https://" + w.forward(systemNamespace, "service/"+serverService, "443")
}

// forward leads to a port by kubectl port-forward, and returns its address here. It ends with the test.
func (w *world) forward(namespace, to, port string) (address string) {
	w.T.Helper()
	forward := exec.CommandContext(w.Ctx, "kubectl", "--namespace="+namespace, "port-forward", to, ":"+port)
	output, err := forward.StdoutPipe()
	w.Must(err)
	w.Must(forward.Start())
	w.T.Cleanup(func() {
		_ = forward.Process.Kill()
		_ = forward.Wait()
	})
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if match := forwarded.FindStringSubmatch(lines.Text()); match != nil {
			go func() {
				for lines.Scan() { // so that kubectl never waits for a reader
				}
			}()
			return match[1]
		}
	}
	w.T.Fatal("kubectl port-forward has ended")
	return ""
}

// tokenOf makes a ServiceAccount that has the role in the test's namespace, and returns a token of it.
func (w *world) tokenOf(name, role string) string {
	w.T.Helper()
	w.Create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}})
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.Namespace, Name: name}}
	w.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Subjects: subjects,
		RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role},
	})
	request, err := cluster.clientset.CoreV1().ServiceAccounts(w.Namespace).CreateToken(w.Ctx, name, &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	w.Must(err)
	return request.Status.Token
}

// letKeepQueues lets a ServiceAccount of the test's namespace pause and resume queues.
func (w *world) letKeepQueues(name string) {
	w.T.Helper()
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "testrun-queue-editor"},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.Namespace, Name: name}},
	}
	w.Must(w.Client.Create(w.Ctx, binding))
	w.T.Cleanup(func() { w.Must(client.IgnoreNotFound(w.Client.Delete(context.Background(), binding))) })
}

// person looks at the pages in a tab of a browser.
type person struct {
	*world
	tab context.Context //nolint:containedctx // chromedp's contexts are tabs
	url string
}

// newPerson logs in with a token, in a tab of their own. Without scripts they reload to see what is new.
func (w *world) newPerson(chromium context.Context, url, token string, scripts bool) *person {
	w.T.Helper()
	tab, stop, err := browser.Another(chromium)
	w.Must(err)
	w.T.Cleanup(stop)
	p := &person{world: w, tab: tab, url: url}
	if !scripts {
		p.do(browser.WithoutScripts())
	}
	p.do(browser.Look(1280, false))
	p.insists("somebody logs in", browser.LogIn(url, token))
	return p
}

// aTry is how long the steps of a person may take. Chromedp may miss that a page has loaded, and would then wait for that for ever.
const aTry = 30 * time.Second

func try(tab context.Context, steps ...chromedp.Action[chromedp.Void]) error {
	ctx, stop := context.WithTimeout(tab, aTry)
	defer stop()
	return chromedp.Do(ctx, steps...)
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.T.Helper()
	if err := try(p.tab, steps...); err != nil {
		p.T.Fatalf("%v, on the page %s", err, p.text())
	}
}

func (p *person) opens(path string) {
	p.T.Helper()
	p.insists("the page "+path+" opens", chromedp.Navigate(p.url+path), chromedp.WaitVisible(chromedp.CSS("main")))
}

// insists does the steps again for as long as Chromium gives them up, or does not come to their end.
func (p *person) insists(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.T.Helper()
	var err error
	p.WaitFor(what, func() bool {
		err = try(p.tab, steps...)
		return !wasGivenUp(err)
	})
	p.Must(err)
}

// wasGivenUp says that the steps may be done again: they took too long, or Chromium gave up a request because the machine got another network
// interface. Each pod of the local cluster is one. Chromium says that as text only.
func wasGivenUp(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || err != nil && strings.Contains(err.Error(), "ERR_NETWORK_CHANGED")
}

// clicks clicks the first link or button below the element that has this text, and waits for the page that follows.
func (p *person) clicks(within, text string) {
	p.T.Helper()
	xpath := fmt.Sprintf(`//%s//*[self::a or self::button][normalize-space()=%q]`, within, text)
	p.WaitFor(fmt.Sprintf("the page has %q to click", text), func() bool {
		nodes, err := chromedp.Run(p.tab, chromedp.Nodes(chromedp.Search(xpath), chromedp.AtLeast(0)))
		return err == nil && len(nodes) > 0
	})
	ctx, stop := context.WithTimeout(p.tab, aTry)
	defer stop()
	_, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.Search(xpath), chromedp.NodeVisible))
	switch {
	case wasGivenUp(err):
		p.insists("the page that follows opens", chromedp.Reload())
	case err != nil:
		p.T.Fatalf("clicking %q: %v, on the page %s", text, err, p.text())
	}
}

// text is what the page says, in one line.
func (p *person) text() string {
	p.T.Helper()
	text, err := chromedp.Run(p.tab, chromedp.Evaluate[string](`location.href + ": " + document.querySelector('main').innerText`))
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(text), " ")
}

// reads waits until the page says something; with reload it is loaded anew each time.
func (p *person) reads(reload bool, words ...string) {
	p.T.Helper()
	var text string
	p.WaitFor(fmt.Sprintf("the page says %q", words), func() bool {
		if reload {
			if err := try(p.tab, chromedp.Reload()); !wasGivenUp(err) {
				p.Must(err)
			}
		}
		text = p.text()
		for _, word := range words {
			if !strings.Contains(text, word) {
				return false
			}
		}
		return true
	})
}

// recording keeps in which states the rows of a list were, in the order in which they are seen.
const recording = `(() => {
	window.seen = {};
	const look = () => {
		for (const row of document.querySelectorAll('#rows tr')) {
			const name = row.querySelector('td.what a').textContent, state = row.querySelector('.state').textContent.trim();
			const states = window.seen[name] ||= [];
			if (states.at(-1) !== state) states.push(state);
		}
	};
	look();
	new MutationObserver(look).observe(document.querySelector('#rows'), { childList: true, subtree: true });
})()`

// statesOf are the states in which the row of a run was since the recording began. There are none after a reload.
func (p *person) statesOf(run string) []string {
	p.T.Helper()
	states, err := chromedp.Run(p.tab, chromedp.Evaluate[[]string](fmt.Sprintf(`window.seen?.[%q] || []`, run)))
	p.Must(err)
	return states
}
