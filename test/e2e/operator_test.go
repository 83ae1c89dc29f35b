package e2e

import (
	"context"
	"crypto/tls"
	"io"
	"net/http"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/builders"
)

const operatorName = "testrun-controller-manager"

func TestTheOperatorKeepsToTheRestrictedPodSecurityStandard(t *testing.T) {
	w := newWorld(t, enforce, "restricted")
	home := &corev1.Namespace{}
	w.Must(w.Client.Get(w.Ctx, client.ObjectKey{Name: systemNamespace}, home))
	if home.Labels[enforce] != "restricted" {
		t.Errorf("namespace %s enforces %q, want restricted", systemNamespace, home.Labels[enforce])
	}
	deployment := &appsv1.Deployment{}
	w.Must(w.Client.Get(w.Ctx, client.ObjectKey{Namespace: systemNamespace, Name: operatorName}, deployment))
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "operator", Namespace: w.Namespace}, Spec: deployment.Spec.Template.Spec}
	pod.Spec.ServiceAccountName, pod.Spec.DeprecatedServiceAccount = "", ""
	w.WaitFor("the namespace's own ServiceAccount is there", func() bool {
		return w.Client.Get(w.Ctx, w.Key("default"), &corev1.ServiceAccount{}) == nil
	})
	if err := w.Client.Create(w.Ctx, pod.DeepCopy(), client.DryRunAll); err != nil {
		t.Errorf("a restricted namespace refuses the operator's pod: %v", err)
	}
	pod.Spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = ptr.To(true)
	if err := w.Client.Create(w.Ctx, pod, client.DryRunAll); !apierrors.IsForbidden(err) {
		t.Errorf("a restricted namespace answers %v to a pod that may escalate its privileges: this test proves nothing", err)
	}
}

func TestMetricsAreServedToThoseWhoMayReadThemAndHealthToAll(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"nobody", "prometheus"} {
		w.Create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}})
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: w.Namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "testrun-metrics-reader"},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: "prometheus", Namespace: w.Namespace}},
	}
	w.Must(w.Client.Create(w.Ctx, binding))
	t.Cleanup(func() { w.Must(w.Client.Delete(context.Background(), binding)) })
	w.Create(builders.TestRun("counted").Build())
	w.WaitForPassed("counted")

	metrics := "https://" + w.forwardOperator("8443") + "/metrics"
	if status, _ := w.get(metrics, ""); status != http.StatusUnauthorized {
		t.Errorf("/metrics answers %d without a token, want 401", status)
	}
	if status, _ := w.get(metrics, w.token("nobody")); status != http.StatusForbidden {
		t.Errorf("/metrics answers %d to an account without the role, want 403", status)
	}
	status, body := w.get(metrics, w.token("prometheus"))
	if status != http.StatusOK {
		t.Errorf("/metrics answers %d to an account with the role testrun-metrics-reader, want 200", status)
	}
	expectOutput(t, "/metrics", body, `^testrun_runs_finished_total\{verdict="Passed"\} [1-9]`, `^testrun_runs\{phase="Finished"\} \d+$`,
		`^testrun_run_waiting_seconds_count [1-9]`, `^testrun_run_running_seconds_count [1-9]`)
	if strings.Contains(body, w.Namespace) || strings.Contains(body, `"counted"`) {
		t.Error("the metrics hold the name of an object, want none: labels are bounded")
	}
	health := "http://" + w.forwardOperator("8081")
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, body := w.get(health+path, ""); status != http.StatusOK {
			t.Errorf("%s answers %d: %s, want 200", path, status, body)
		}
	}
}

func (w *world) forwardOperator(port string) (address string) {
	w.T.Helper()
	return w.forward(systemNamespace, "deployment/"+operatorName, port)
}

// get asks for a page, and retries nothing.
func (w *world) get(url, token string) (status int, body string) {
	w.T.Helper()
	request, err := http.NewRequestWithContext(w.Ctx, http.MethodGet, url, http.NoBody)
	w.Must(err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // it signs its own certificate
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	w.Must(err)
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	w.Must(err)
	return response.StatusCode, string(text)
}

// token is a short-lived one of a ServiceAccount of the world's namespace.
func (w *world) token(account string) string {
	w.T.Helper()
	return tokenOf(w, w.Namespace, account)
}

func tokenOf(w *world, namespace, account string) string {
	w.T.Helper()
	request := &authenticationv1.TokenRequest{}
	holder := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: account, Namespace: namespace}}
	w.Must(w.Client.SubResource("token").Create(w.Ctx, holder, request))
	return request.Status.Token
}

func TestTheOperatorMayDoWhatItNeedsAndNothingElse(t *testing.T) {
	w := newWorld(t)
	asOperator := "--as=system:serviceaccount:" + systemNamespace + ":" + operatorName
	for action, want := range map[string]string{
		"create jobs": "yes", "patch pods": "yes", "patch testruns/status": "yes", "delete testruns": "yes", "get nodes": "yes",

		"get secrets": "no", "get configmaps": "no", "create pods": "no", "delete pods": "no", "delete jobs": "no", "update jobs": "no",
		"get pods/log": "no", "create pods/exec": "no", "create testruns": "no", "patch testruns": "no", "patch tests": "no",
		"create serviceaccounts/token": "no", "impersonate users": "no", "create clusterrolebindings": "no", "list nodes": "no", "patch nodes": "no",
	} {
		verb, resource, _ := strings.Cut(action, " ")
		resource, subresource, _ := strings.Cut(resource, "/")
		output, _ := w.kubectl("auth", "can-i", verb, resource, "--subresource="+subresource, asOperator) // exit code 1 means no
		lines := strings.Split(strings.TrimSpace(output), "\n")
		if answer := lines[len(lines)-1]; answer != want {
			t.Errorf("kubectl auth can-i %s, as the operator, says %q, want %q", action, output, want)
		}
	}
}

func TestWhoeverMayEditANamespaceMayRunTestsAndNotWriteVerdicts(t *testing.T) {
	w := newWorld(t)
	w.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "developer"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "edit"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "developer"}},
	})
	for action, want := range map[string]string{"create": "yes", "delete": "yes", "patch": "yes"} {
		if output, _ := w.kubectl("auth", "can-i", action, "testruns.testrun.dev", "--as=developer"); strings.TrimSpace(output) != want {
			t.Errorf("kubectl auth can-i %s testruns, as one who may edit, says %q, want %q", action, output, want)
		}
	}
	output, _ := w.kubectl("auth", "can-i", "patch", "testruns.testrun.dev", "--subresource=status", "--as=developer")
	if strings.TrimSpace(output) != "no" {
		t.Errorf("kubectl auth can-i patch testruns/status, as one who may edit, says %q, want no", output)
	}
}
