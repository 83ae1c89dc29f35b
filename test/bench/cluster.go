package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
)

// Where the operator is deployed.
const (
	operatorNamespace = "testrun-system"
	operatorName      = "testrun-controller-manager"
)

// patience is for what does not depend on how much there is to do.
const patience = 2 * time.Minute

// cluster is an API server, with or without the rest of Kubernetes.
type cluster struct {
	client.WithWatch
	config *rest.Config
	// managerArgs are the operator's flags, as deployed.
	managerArgs []string
	// etcd is known only of an API server that startAPIServer has started.
	etcd etcd
}

func newCluster(config *rest.Config) (*cluster, error) {
	config.QPS = -1
	withWatch, err := client.NewWithWatch(config, client.Options{Scheme: apiserver.Scheme})
	if err != nil {
		return nil, err
	}
	return &cluster{WithWatch: withWatch, config: config}, nil
}

// connect asks for KUBECONFIG, so that nobody's current context is taken by mistake.
func connect() (*cluster, error) {
	path := os.Getenv("KUBECONFIG")
	if path == "" {
		return nil, errors.New("KUBECONFIG is not set")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, err
	}
	return newCluster(config)
}

// takeOver stops the deployed operator, since another one is about to do its work, and returns what starts it again.
func (c *cluster) takeOver(ctx context.Context) (restore func() error, err error) {
	restore = func() error { return nil }
	nodes := &corev1.NodeList{}
	if err := c.List(ctx, nodes, client.MatchingLabels{"type": "kwok"}); err != nil {
		return restore, err
	}
	if len(nodes.Items) == 0 {
		return restore, errors.New("the cluster has no simulated nodes")
	}
	deployment := &appsv1.Deployment{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: operatorNamespace, Name: operatorName}, deployment); err != nil {
		return restore, fmt.Errorf("finding the deployed operator: %w", err)
	}
	c.managerArgs = deployment.Spec.Template.Spec.Containers[0].Args
	replicas := max(1, ptr.Deref(deployment.Spec.Replicas, 1)) // 0 is what a benchmark that was killed has left
	restore = func() error { return c.scale(context.WithoutCancel(ctx), operatorName, replicas) }
	if err := c.scale(ctx, operatorName, 0); err != nil {
		return restore, err
	}
	return restore, wait.PollUntilContextTimeout(ctx, time.Second, patience, true, func(ctx context.Context) (bool, error) {
		pods := &corev1.PodList{}
		err := c.List(ctx, pods, client.InNamespace(operatorNamespace), client.MatchingLabels(deployment.Spec.Selector.MatchLabels))
		return err == nil && len(pods.Items) == 0, err
	})
}

func (c *cluster) scale(ctx context.Context, name string, replicas int32) error {
	deployment := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: name}}
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	if err := c.Patch(ctx, deployment, client.RawPatch("application/merge-patch+json", patch)); err != nil {
		return fmt.Errorf("scaling %s to %d: %w", name, replicas, err)
	}
	return nil
}

// operatorToken makes the operator that is measured the one that is deployed, in the eyes of the API server: it has the same
// rights, and the same share when there is much to do.
func (c *cluster) operatorToken(ctx context.Context) (string, error) {
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: operatorNamespace, Name: operatorName}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{ExpirationSeconds: ptr.To[int64](4 * 3600)}}
	if err := c.SubResource("token").Create(ctx, account, request); err != nil {
		return "", fmt.Errorf("asking for the operator's token: %w", err)
	}
	return request.Status.Token, nil
}

// newNamespace makes a namespace that is ready for pods, if this cluster has controllers.
func (c *cluster) newNamespace(ctx context.Context, hasControllers bool) (string, error) {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "bench-"}}
	if err := c.Create(ctx, namespace); err != nil || !hasControllers {
		return namespace.Name, err
	}
	return namespace.Name, wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, patience, true, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKey{Namespace: namespace.Name, Name: "default"}, &corev1.ServiceAccount{})
		return err == nil, client.IgnoreNotFound(err)
	})
}

// removeNamespace waits until it is gone: what is still being deleted would slow down what is measured next.
func (c *cluster) removeNamespace(ctx context.Context, name string) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := c.Delete(ctx, namespace); err != nil {
		return client.IgnoreNotFound(err)
	}
	return wait.PollUntilContextTimeout(ctx, 500*time.Millisecond, 10*time.Minute, true, func(ctx context.Context) (bool, error) {
		err := c.Get(ctx, client.ObjectKeyFromObject(namespace), namespace)
		return apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	})
}

// machine is what the figures depend on.
func (c *cluster) machine() machine {
	m := machine{CPUs: runtime.NumCPU(), Arch: runtime.GOARCH, Go: runtime.Version(), At: time.Now().UTC().Truncate(time.Second)}
	if discovered, err := discovery.NewDiscoveryClientForConfig(c.config); err == nil {
		if version, err := discovered.ServerVersion(); err == nil {
			m.Kubernetes = version.GitVersion
		}
	}
	return m
}
