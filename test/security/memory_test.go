package security

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"k8s.io/client-go/util/retry"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/builders"
	"github.com/testrun-dev/testrun/test/conditions"
	"github.com/testrun-dev/testrun/test/kit"
)

var waiting = flag.Int("waiting", 12, "how many runs of the largest size wait")

// What the operator is deployed with: see config/manager/deployment.yaml.
const (
	deployedLimit    = 1 << 30
	deployedGoMemory = "GOMEMLIMIT=900MiB"
)

// process is the operator's real binary.
type process struct {
	*exec.Cmd
	// log is the file that it writes its log to, and ended is closed when it has ended.
	log   string
	ended chan struct{}
}

// buildManager builds the operator and returns its path.
func buildManager(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "manager")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../../cmd/manager")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building the operator: %v\n%s", err, out)
	}
	return program
}

// startManager starts the operator and waits until its caches are filled.
func startManager(t *testing.T, program string) *process {
	t.Helper()
	health, folder := kit.FreeAddress(t), t.TempDir()
	p := &process{log: filepath.Join(folder, "log"), ended: make(chan struct{}), Cmd: exec.CommandContext(context.WithoutCancel(t.Context()), program,
		"--kubeconfig="+kubeconfig(t), "--leader-election-namespace=default", "--metrics-bind-address=0", "--health-probe-bind-address="+health,
		"--runner-image=testrun.invalid/runner:dev")}
	p.Env = append(os.Environ(), deployedGoMemory)
	output, err := os.Create(p.log)
	must(t, err)
	defer output.Close()
	p.Stdout, p.Stderr = output, output
	p.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	must(t, p.Start())
	go func() {
		_ = p.Wait() // its log says why
		close(p.ended)
	}()
	for !isReady(t, "http://"+health+"/readyz") {
		select {
		case <-p.ended:
			t.Fatalf("the operator has ended:\n%s", p.said(t))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return p
}

func isReady(t *testing.T, url string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// said is the operator's log.
func (p *process) said(t *testing.T) string {
	t.Helper()
	log, err := os.ReadFile(p.log)
	must(t, err)
	return string(log)
}

// stop ends the operator, which gives its Lease back.
func (p *process) stop(t *testing.T) {
	t.Helper()
	must(t, p.Process.Signal(syscall.SIGTERM))
	<-p.ended
}

// peak is the most memory that the operator has had, in bytes.
func (p *process) peak(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	must(t, err)
	return kib << 10
}

func kubeconfig(t *testing.T) string {
	t.Helper()
	const name = "test"
	config := clientcmdapi.NewConfig()
	config.Clusters[name] = &clientcmdapi.Cluster{Server: apiserver.Config.Host, CertificateAuthorityData: apiserver.Config.CAData}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: apiserver.Config.CertData, ClientKeyData: apiserver.Config.KeyData}
	config.Contexts[name] = &clientcmdapi.Context{Cluster: name, AuthInfo: name}
	config.CurrentContext = name
	path := filepath.Join(t.TempDir(), "kubeconfig")
	must(t, clientcmd.WriteToFile(*config, path))
	return path
}

// largest is a run about as large as the API server accepts: variables, empty objects and text.
func largest(namespace, name, queue string) *v1alpha1.TestRun {
	spec := withContainers(32, 64, func(_ int, container *corev1.Container) { container.Env = shortVariables(64) })
	spec.Template.Annotations = map[string]string{}
	for i := range 9 {
		spec.Template.Annotations[fmt.Sprintf("text-%d", i)] = strings.Repeat("x", 100*1024)
	}
	for i := range 64 {
		spec.Template.Spec.Volumes = append(spec.Template.Spec.Volumes, corev1.Volume{Name: fmt.Sprintf("v%d", i), VolumeSource: corev1.VolumeSource{
			Projected: &corev1.ProjectedVolumeSource{Sources: make([]corev1.VolumeProjection, 64)},
		}})
	}
	run := builders.TestRun(name).In(namespace).Running(spec).Waiting(queue).Build()
	run.Spec.Params = longParams(8, "$")
	return run
}

// startsWithin creates runs in the namespace, one after the other, and returns the median of how long it takes until each has its Job.
func startsWithin(t *testing.T, operator *process, namespace, prefix string) time.Duration {
	t.Helper()
	var times []time.Duration
	for i := range 7 {
		name := fmt.Sprintf("%s-%d", prefix, i)
		began := time.Now()
		must(t, apiserver.Client.Create(t.Context(), builders.TestRun(name).In(namespace).Build()))
		for {
			err := apiserver.Client.Get(t.Context(), client.ObjectKey{Namespace: namespace, Name: name + "-1"}, &batchv1.Job{})
			if err == nil {
				break
			}
			must(t, client.IgnoreNotFound(err))
			select {
			case <-operator.ended:
				t.Fatalf("the operator has ended, and run %s has not started:\n%s", name, operator.said(t))
			case <-time.After(2 * time.Millisecond):
			}
		}
		times = append(times, time.Since(began))
	}
	slices.Sort(times)
	return times[len(times)/2]
}

// isOverload says whether the API server was too busy.
func isOverload(err error) bool {
	return apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsTooManyRequests(err)
}

// As many of the largest runs wait as their authors like: the operator stays within the memory that it is deployed with, and starts
// others' runs. `make hostile-scale` tries it with 1,000.
func TestWaitingRunsOfTheLargestSizeDoNotTakeTheOperatorDown(t *testing.T) {
	program := buildManager(t)
	queue := &v1alpha1.TestQueue{}
	queue.Name = "held"
	queue.Spec.Suspend = ptr.To(true)
	must(t, apiserver.Client.Create(t.Context(), queue))
	tenants, bystander := []string{apiserver.Namespace(t), apiserver.Namespace(t)}, apiserver.Namespace(t)

	idle := startManager(t, program)
	startsWithin(t, idle, bystander, "first") // fills what is filled once
	idleStart := startsWithin(t, idle, bystander, "idle")
	idle.stop(t)

	began := time.Now()
	creators := errgroup.Group{}
	creators.SetLimit(4)
	for i := range *waiting {
		creators.Go(func() error {
			return retry.OnError(wait.Backoff{Duration: time.Second, Steps: 60}, isOverload, func() error {
				err := apiserver.Client.Create(t.Context(), largest(tenants[i%len(tenants)], fmt.Sprintf("large-%d", i), queue.Name))
				if apierrors.IsAlreadyExists(err) { // an answer was lost
					return nil
				}
				return err
			})
		})
	}
	must(t, creators.Wait())
	t.Logf("creating them took %s each", time.Since(began)/time.Duration(*waiting))

	busy := startManager(t, program)
	defer busy.stop(t)
	startsWithin(t, busy, bystander, "next")
	busyStart := startsWithin(t, busy, bystander, "busy")
	last := largest(tenants[(*waiting-1)%len(tenants)], fmt.Sprintf("large-%d", *waiting-1), queue.Name)
	waitFor(t, last, "the last of the large runs is told why it waits", func(run *v1alpha1.TestRun) bool {
		return conditions.Reason(run) == v1alpha1.ReasonQueueSuspended
	})
	peak := busy.peak(t)
	t.Logf("%d runs wait: the operator took %d MiB; a run of another namespace started in %s, and in %s when nothing waited", *waiting, peak>>20, busyStart, idleStart)
	if peak > deployedLimit {
		t.Errorf("the operator took %d MiB, and is deployed with %d:\n%s", peak>>20, deployedLimit>>20, busy.said(t))
	}
}
