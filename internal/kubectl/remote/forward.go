package remote

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// Cluster is where the programs are looked for.
type Cluster struct {
	Config *rest.Config
	Core   corev1client.CoreV1Interface
	// Namespace is that of the operator and the server.
	Namespace string
}

// target is a port of a program: its Service has these labels, and a port of that name.
type target struct{ component, port, what, otherwise string }

var (
	server  = target{"server", "api", "the server of the archive", "ask for that right, or name its address with --archive"}
	manager = target{"controller-manager", "metrics", "the operator", "ask for that right"}
)

// NotInstalledError means that there is no such program in the namespace.
type NotInstalledError struct{ What, Namespace string }

// Error says what to do.
func (e *NotInstalledError) Error() string {
	return fmt.Sprintf("%s is not installed in namespace %s; if it is in another one, name that with --testrun-namespace", e.What, e.Namespace)
}

// unreachable says that a right is missing, or what else is wrong on the way to a program.
func (t target) unreachable(namespace, right string, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return &NotInstalledError{t.what, namespace}
	case apierrors.IsForbidden(err):
		return fmt.Errorf("you may not %s in namespace %s, so %s cannot be reached: %s", right, namespace, t.what, t.otherwise)
	}
	return fmt.Errorf("reaching %s: %w", t.what, err)
}

// forwardTimeout is how long a connection to a pod may take.
const forwardTimeout = 15 * time.Second

// place is a port of a pod.
type place struct {
	pod  string
	port int32
}

// find finds the pods behind the program's Service, those that are ready first.
func (c *Cluster) find(ctx context.Context, t target) ([]place, error) {
	services, err := c.Core.Services(c.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: "app.kubernetes.io/name=testrun,app.kubernetes.io/component=" + t.component,
	})
	if err != nil {
		return nil, t.unreachable(c.Namespace, "list services", err)
	}
	for _, service := range services.Items {
		for _, port := range service.Spec.Ports {
			if port.Name == t.port {
				return c.behind(ctx, t, service.Spec.Selector, port.TargetPort)
			}
		}
	}
	return nil, &NotInstalledError{t.what, c.Namespace}
}

func (c *Cluster) behind(ctx context.Context, t target, selector map[string]string, port intstr.IntOrString) ([]place, error) {
	pods, err := c.Core.Pods(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: labels.SelectorFromSet(selector).String()})
	if err != nil {
		return nil, t.unreachable(c.Namespace, "list pods", err)
	}
	var found []place
	for i := range pods.Items {
		if pod := &pods.Items[i]; isReady(pod) {
			if number := portOf(pod, port); number != 0 {
				found = append(found, place{pod.Name, number})
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s is installed in namespace %s, and none of its pods is ready: kubectl -n %[2]s get pods", t.what, c.Namespace)
	}
	return found, nil
}

func isReady(pod *corev1.Pod) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == corev1.PodReady {
			return condition.Status == corev1.ConditionTrue && pod.DeletionTimestamp == nil
		}
	}
	return false
}

// portOf is the number of a port of the pod.
func portOf(pod *corev1.Pod, port intstr.IntOrString) int32 {
	if port.Type == intstr.Int {
		return port.IntVal
	}
	for i := range pod.Spec.Containers {
		for _, p := range pod.Spec.Containers[i].Ports {
			if p.Name == port.StrVal {
				return p.ContainerPort
			}
		}
	}
	return 0
}

// forward leads from a port of this machine, which it returns, to that of the pod, until lost says that it has ended. local is the port here; 0
// for any.
func (c *Cluster) forward(ctx context.Context, t target, to place, local uint16) (port uint16, lost <-chan error, err error) {
	plain, err := c.dialer(to.pod)
	if err != nil {
		return 0, nil, err
	}
	dialer := &remembering{Dialer: plain}
	ready := make(chan struct{})
	life := context.WithoutCancel(ctx) // whoever asked first may end before those who ask next
	forwarder, err := portforward.NewOnAddressesForStreamingWithContext(life, dialer, []string{"127.0.0.1"}, []string{fmt.Sprintf("%d:%d", local, to.port)}, ready, io.Discard, io.Discard)
	if err != nil {
		return 0, nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case err := <-ended:
		if dialer.err != nil {
			err = dialer.err
		}
		return 0, nil, t.unreachable(c.Namespace, "create pods/portforward", err)
	case <-ctx.Done():
		return 0, nil, ctx.Err()
	case <-time.After(forwardTimeout):
		return 0, nil, fmt.Errorf("reaching %s: the cluster did not lead to its pod within %s", t.what, forwardTimeout)
	case <-ready:
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return 0, nil, err
	}
	return ports[0].Local, ended, nil
}

// dialer makes connections to the pod: over a WebSocket, or as older API servers want it.
func (c *Cluster) dialer(pod string) (httpstream.Dialer, error) {
	url := c.Core.RESTClient().Post().Resource("pods").Namespace(c.Namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.Config)
	if err != nil {
		return nil, err
	}
	older := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	dialer, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, c.Config)
	if err != nil {
		return nil, err
	}
	return portforward.NewFallbackDialerForStreaming(dialer, older, func(err error) bool {
		return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
	}), nil
}

// remembering remembers why a connection could not be made: a forwarder says it as text only.
type remembering struct {
	httpstream.Dialer
	err error
}

// Dial makes a connection.
func (r *remembering) Dial(protocols ...string) (connection httpstream.Connection, protocol string, err error) {
	connection, protocol, r.err = r.Dialer.Dial(protocols...)
	return connection, protocol, r.err
}
