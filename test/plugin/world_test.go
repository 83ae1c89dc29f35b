package plugin

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/kit"
	"github.com/testrun-dev/testrun/test/operator"
)

// world is a namespace with Tests in it, and an operator and a node if it has them started.
type world struct{ *kit.World }

func newWorld(t *testing.T) *world {
	t.Helper()
	t.Parallel()
	w := &world{kit.New(t)}
	firefox, yes := "firefox", true
	w.Create(builders.Test("checkout", builders.TestSpec("prove -v t/", v1alpha1.ParamSpec{
		Name: "BROWSER", Description: "The browser to test with", Enum: []string{"chromium", "firefox", "webkit"}, Default: &firefox,
	}, v1alpha1.ParamSpec{Name: "TAGS"})))
	w.Create(builders.Test("deploy-check", builders.TestSpec("check", v1alpha1.ParamSpec{Name: "TARGET", Required: &yes})))
	w.Create(builders.Test("soak", builders.TestSpec("soak")))
	w.Create(builders.Test("paint", builders.TestSpec("paint")))
	return w
}

// withOperator makes a namespace in which tests run.
func withOperator(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.startOperator()
	w.startNode()
	return w
}

func (w *world) startOperator() {
	w.T.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	op, err := operator.New(ctx, apiserver.Config, w.Namespace, operator.Changes{})
	w.Must(err)
	ended := make(chan error, 1)
	go func() { ended <- op.Start(ctx) }()
	w.T.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			w.T.Errorf("the operator: %v", err)
		}
	}))
	w.WaitFor("the operator is at work", op.Queues.IsOpen)
}

// queue makes the TestQueue that has the name of the namespace, which its operator knows.
func (w *world) queue(spec v1alpha1.TestQueueSpec) string {
	w.T.Helper()
	queue := &v1alpha1.TestQueue{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}, Spec: spec}
	w.Must(w.Client.Create(w.Ctx, queue))
	w.T.Cleanup(func() { _ = w.Client.Delete(context.Background(), queue) })
	return queue.Name
}

// person types commands, with a kubeconfig.
type person struct {
	*world
	kubeconfig string
	// archive is the address of the archive, or none; empty to find it in the cluster.
	archive string
	// believing trusts whoever answers there: a server that has made its certificate itself is the usual one.
	believing bool
	// also are further variables.
	also []string
}

// kubeconfigOf is a kubeconfig whose only context, named test, has this user and the world's namespace.
func (w *world) kubeconfigOf(user *clientcmdapi.AuthInfo, change ...func(*clientcmdapi.Config)) string {
	w.T.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["test"] = &clientcmdapi.Cluster{Server: apiserver.Config.Host, CertificateAuthorityData: apiserver.Config.CAData}
	config.AuthInfos["test"] = user
	config.Contexts["test"] = &clientcmdapi.Context{Cluster: "test", AuthInfo: "test", Namespace: w.Namespace}
	config.CurrentContext = "test"
	for _, c := range change {
		c(config)
	}
	path := filepath.Join(w.T.TempDir(), "kubeconfig")
	w.Must(clientcmd.WriteToFile(*config, path))
	return path
}

// person is somebody who has these ClusterRoles in the namespace; one that ends with * they have in the whole cluster.
func (w *world) person(name string, roles ...string) *person {
	w.T.Helper()
	w.Create(&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: name}})
	subjects := []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: w.Namespace, Name: name}}
	for _, role := range roles {
		ref := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: strings.TrimSuffix(role, "*")}
		if !strings.HasSuffix(role, "*") {
			w.Create(&rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name + "-" + ref.Name}, RoleRef: ref, Subjects: subjects})
			continue
		}
		binding := &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace + "-" + name + "-" + ref.Name}, RoleRef: ref, Subjects: subjects}
		w.Must(w.Client.Create(w.Ctx, binding))
		w.T.Cleanup(func() { _ = w.Client.Delete(context.Background(), binding) })
	}
	request := &authenticationv1.TokenRequest{}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: w.Namespace, Name: name}}
	w.Must(w.Client.SubResource("token").Create(w.Ctx, account, request))
	return &person{world: w, kubeconfig: w.kubeconfigOf(&clientcmdapi.AuthInfo{Token: request.Status.Token}), archive: "none"}
}

// developer is somebody who runs tests, and asks no archive.
func (w *world) developer() *person {
	w.T.Helper()
	return w.person("ada", "testrun-starter")
}

// withArchive is the same person, who asks the archive too.
func (p *person) withArchive() *person {
	return p.asking(site.Server.URL, true)
}

// asking is the same person, who asks an archive at that address.
func (p *person) asking(archive string, believing bool) *person {
	also := *p
	also.archive, also.believing = archive, believing
	return &also
}

func (p *person) env() (env []string) {
	if p.archive != "" {
		env = append(env, "TESTRUN_ARCHIVE="+p.archive)
	}
	return append(env, p.also...)
}

// typed is what came of a command.
type typed struct {
	command, out, err string
	code              int
}

func (p *person) command(ctx context.Context, args ...string) *exec.Cmd {
	p.T.Helper()
	path, err := program.Path()
	p.Must(err)
	if p.believing {
		args = append(args, "--archive-insecure")
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{"KUBECONFIG=" + p.kubeconfig, "HOME=" + p.T.TempDir(), "PATH=" + os.Getenv("PATH"), "TERM=dumb"}, p.env()...)
	return cmd
}

// types types a command, and waits for its end.
func (p *person) types(args ...string) typed {
	p.T.Helper()
	cmd := p.command(p.Ctx, args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err := cmd.Run()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		p.T.Fatal(err)
	}
	return typed{strings.Join(args, " "), out.String(), errOut.String(), cmd.ProcessState.ExitCode()}
}

// expect checks the exit code and that the output has each of the words.
func (r typed) expect(t *testing.T, code int, words ...string) typed {
	t.Helper()
	if r.code != code {
		t.Errorf("%s ended with %d, want %d\n%s%s", r.command, r.code, code, r.out, r.err)
	}
	for _, word := range words {
		if !strings.Contains(r.out, word) {
			t.Errorf("%s printed\n%s\nand said\n%s\nwant %q in what it printed", r.command, r.out, r.err, word)
		}
	}
	return r
}

// says checks that what it says beside its output has each of the words.
func (r typed) says(t *testing.T, words ...string) typed {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(r.err, word) {
			t.Errorf("%s printed\n%s\nand said\n%s\nwant %q in what it said", r.command, r.out, r.err, word)
		}
	}
	return r
}
