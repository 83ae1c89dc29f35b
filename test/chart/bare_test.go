package chart

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// This is an API server that never had anything of TestRun. What is tried goes from one to the next.
func TestInAClusterWithoutAnything(t *testing.T) {
	environment := apiserver.Bare(t)
	administrator, err := client.New(environment.Config, client.Options{Scheme: apiserver.Scheme})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{home, "shop"} {
		if err := administrator.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}); err != nil {
			t.Fatal(err)
		}
	}
	expectRefusedAs(t, environment.KubeConfig, home, map[string]mistake{
		"no CRDs at all": {"install --set crds.install=false", "crds.install is false, and the cluster has no CRD jobtables.testrun.dev: have whoever administers the cluster install them first", false},
	})
	t.Run("a team installs the program for job tables into its own namespace", func(t *testing.T) { installAsATeam(t, environment, administrator) })
	t.Run("a certificate of cert-manager", func(t *testing.T) { expectCertificate(t, environment, administrator) })
}

// installAsATeam has somebody install who has the rights of "admin" in a namespace, and none in the cluster. Somebody else installs the operator.
func installAsATeam(t *testing.T, environment *envtest.Environment, administrator client.Client) {
	t.Helper()
	team := memberOf(t, environment, administrator, "shop")
	alone := " --set manager.enabled=false --set crds.install=false "
	shop := alone + strings.Join(jobtables("shop"), " ")
	expectRefusedAs(t, team, "shop", map[string]mistake{
		"the operator, without rights in the cluster": {"install", `namespaces "kube-system" is forbidden: User "member" cannot get resource "namespaces"`, true},
		"before there is an operator":                 {"install" + shop, "the cluster has no CRD jobtables.testrun.dev: have whoever administers the cluster install them first", false},
	})

	if output, err := helmAs(t, environment.KubeConfig, command(home, "install")...); err != nil {
		t.Fatalf("installing into a cluster without anything: %v: %s", err, output)
	}
	memberOf(t, environment, administrator, "shop") // what the operator's release adds to "admin"
	expectRefusedAs(t, team, "shop", map[string]mistake{
		"the namespace of another team": {"install" + alone + strings.Join(jobtables("bank"), " "), `namespaces "bank" is forbidden: User "member" cannot get resource "namespaces"`, true},
	})
	output, err := helmAs(t, team, command("shop", "install"+shop)...)
	if err != nil {
		t.Fatalf("the team cannot install: %v: %s", err, output)
	}
	for _, says := range []string{
		"The program jobtable is in: shop.",
		"WARNING: jobtable.namespaces names the Secret testrun-jobtable, and namespace shop has none of that name.",
		"WARNING: No registry has testrun.invalid/jobtable.",
	} {
		if !strings.Contains(output, says) {
			t.Errorf("helm install says %s, want %q in it", output, says)
		}
	}
	if strings.Contains(output, "testrun.invalid/runner") {
		t.Errorf("helm install speaks of images that it does not use: %s", output)
	}
	for key, of := range objectsOf(t, []byte(manifestOf(t, team, "shop"))) {
		if at(of, "metadata", "namespace") != "shop" {
			t.Errorf("the team's release has %s, which is not in its namespace", key)
		}
	}
	expectRefusedAs(t, environment.KubeConfig, home, map[string]mistake{
		"what the team has already": {"upgrade " + strings.Join(jobtables("shop"), " "), "The program jobtable is in namespace shop already, as part of release testrun in namespace shop. Leave shop out of jobtable.namespaces", false},
	})
	if output, err := helmAs(t, team, command("shop", "upgrade --reset-then-reuse-values --set jobtable.flags.zapLogLevel=debug")...); err != nil {
		t.Errorf("the team cannot upgrade: %v: %s", err, output)
	}
	if output, err := helmAs(t, team, "uninstall", "testrun", "--namespace", "shop"); err != nil {
		t.Errorf("the team cannot uninstall: %v: %s", err, output)
	}
	if output, err := helmAs(t, environment.KubeConfig, command(home, "upgrade "+strings.Join(jobtables("shop"), " "))...); err != nil {
		t.Errorf("the release of the operator cannot have the program too: %v: %s", err, output)
	}
}

// expectCertificate installs a server whose certificate comes from cert-manager, with cert-manager's own CRD in the cluster.
func expectCertificate(t *testing.T, environment *envtest.Environment, administrator client.Client) {
	t.Helper()
	const values = "upgrade --set server.enabled=true --set server.persistence.enabled=false --set server.tls.certManager.enabled=true" +
		" --set server.tls.certManager.issuerRef.name=ours --set server.tls.certManager.dnsNames={tests.example.com}"
	expectRefusedAs(t, environment.KubeConfig, home, map[string]mistake{
		"before cert-manager": {values, "the cluster does not know the kind Certificate: install cert-manager first", false},
	})
	path := filepath.Join(moduleDir(t, "github.com/cert-manager/cert-manager"), "deploy", "crds", "cert-manager.io_certificates.yaml")
	if _, err := envtest.InstallCRDs(environment.Config, envtest.CRDInstallOptions{Paths: []string{path}, ErrorIfPathMissing: true}); err != nil {
		t.Fatal(err)
	}
	if output, err := helmAs(t, environment.KubeConfig, command(home, values)...); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	certificate := &unstructured.Unstructured{}
	certificate.SetAPIVersion("cert-manager.io/v1")
	certificate.SetKind("Certificate")
	if err := administrator.Get(t.Context(), client.ObjectKey{Namespace: home, Name: "testrun-server"}, certificate); err != nil {
		t.Fatal(err)
	}
	for field, value := range map[string]any{"rotationPolicy": "Sometimes", "algorithm": "XOR", "rotates": "Never"} {
		wrong := certificate.DeepCopy()
		wrong.Object["spec"].(object)["privateKey"].(object)[field] = value
		if err := administrator.Update(t.Context(), wrong, client.DryRunAll, client.FieldValidation(metav1.FieldValidationStrict)); err == nil {
			t.Errorf("a Certificate whose privateKey has %s=%v is taken: cert-manager's types refuse nothing here", field, value)
		}
	}
	certificate.SetManagedFields(nil)
	certificate.SetResourceVersion("")
	if err := administrator.Patch(t.Context(), certificate, client.Apply, client.DryRunAll, client.ForceOwnership, client.FieldOwner("chart"), //nolint:staticcheck // it has no type
		client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
		t.Errorf("cert-manager's types refuse the Certificate: %v", err)
	}
}

// moduleDir is where the files of a module are that test/alerts requires.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "mod", "download", "-json", module)
	command.Dir = filepath.Join(root, "test", "alerts")
	output, err := command.Output()
	if err != nil {
		t.Fatalf("go mod download %s: %v: %s", module, err, output)
	}
	found := struct{ Dir string }{}
	if err := json.Unmarshal(output, &found); err != nil {
		t.Fatal(err)
	}
	return found.Dir
}

// memberOf is the kubeconfig of somebody who has the rights of the ClusterRole "admin" in a namespace. It is an aggregate, and what it would be made
// of is bound instead: the API server of the tests has no controller for that.
func memberOf(t *testing.T, environment *envtest.Environment, administrator client.Client, namespace string) []byte {
	t.Helper()
	roles := &rbacv1.ClusterRoleList{}
	if err := administrator.List(t.Context(), roles); err != nil {
		t.Fatal(err)
	}
	bound := 0
	for i := range roles.Items {
		role := &roles.Items[i]
		for _, part := range []string{"view", "edit", "admin"} {
			if role.Labels["rbac.authorization.k8s.io/aggregate-to-"+part] != "true" {
				continue
			}
			bound++
			binding := &rbacv1.RoleBinding{
				ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: strings.ReplaceAll(role.Name, ":", "-")},
				RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
				Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "member"}},
			}
			if err := administrator.Create(t.Context(), binding); err != nil && !apierrors.IsAlreadyExists(err) {
				t.Fatal(err)
			}
		}
	}
	if bound < 3 {
		t.Fatalf("%d roles are part of admin", bound)
	}
	member, err := environment.AddUser(envtest.User{Name: "member"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := member.KubeConfig()
	if err != nil {
		t.Fatal(err)
	}
	return kubeconfig
}

func manifestOf(t *testing.T, kubeconfig []byte, namespace string) string {
	t.Helper()
	manifest, err := helmAs(t, kubeconfig, "get", "manifest", "testrun", "--namespace", namespace)
	if err != nil || strings.Count(manifest, "\nkind: ") != 6 {
		t.Fatalf("the release has %s (%v), want six objects", manifest, err)
	}
	return manifest
}

// With --reuse-values Helm takes the values of the chart before, and none of those that are new since. What they turn on would be gone.
func TestTheValuesOfAChartBeforeAreRefused(t *testing.T) {
	const namespace = "reused"
	makeNamespace(t, namespace)
	older := t.TempDir()
	for name, text := range map[string]string{
		"Chart.yaml":           "apiVersion: v2\nname: testrun\nversion: 0.0.0\n",
		"values.yaml":          "manager: {replicas: 1, image: {}}\n",
		"templates/older.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: older}\n",
	} {
		path := filepath.Join(older, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if output, err := helm(t, "install", "testrun", older, "--namespace", namespace); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	expectRefused(t, namespace, map[string]mistake{
		"values of the chart before": {"upgrade --reuse-values", "The value manager.enabled is missing. If you upgrade with --reuse-values, these are the values of the chart before, which had none: use --reset-then-reuse-values instead.", false},
	})
}
