package queues

import (
	"context"
	"math/rand/v2"
	"sync"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/testrun-dev/testrun/test/apiserver"
	"github.com/testrun-dev/testrun/test/node"
)

// kubelet is the scheduler and the kubelet of all namespaces. Its tests end at once, but for the time while it holds them.
type kubelet struct {
	mu    sync.Mutex
	holds bool
	// held is closed when those that it holds may end.
	held chan struct{}
}

func (k *kubelet) hold() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.holds {
		k.holds, k.held = true, make(chan struct{})
	}
}

func (k *kubelet) release() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.holds = false
	close(k.held)
}

// work looks after the pods until the context ends, which are none yet.
func (k *kubelet) work(ctx context.Context) error {
	k.hold()
	k.release()
	pods, err := cache.New(apiserver.Config, cache.Options{Scheme: apiserver.Scheme})
	if err != nil {
		return err
	}
	informer, err := pods.GetInformer(ctx, &corev1.Pod{}, cache.BlockUntilSynced(false))
	if err != nil {
		return err
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc: func(obj any) { go k.execute(ctx, obj.(*corev1.Pod).DeepCopy()) },
		UpdateFunc: func(_, obj any) {
			if pod := obj.(*corev1.Pod); pod.DeletionTimestamp != nil {
				go k.takeAway(ctx, pod.DeepCopy())
			}
		},
	})
	go func() { _ = pods.Start(ctx) }()
	return err
}

// execute runs a pod. Of the tests one in ten fails, and every other one is seen to run before it ends.
func (k *kubelet) execute(ctx context.Context, pod *corev1.Pod) {
	k.mu.Lock()
	held := k.held
	k.mu.Unlock()
	_ = node.Bind(ctx, apiserver.Client, pod) // it may be deleted already, as below
	if rand.N(2) == 0 {
		_ = node.Report(ctx, apiserver.Client, pod, node.SetRunning)
	}
	select {
	case <-held:
	case <-ctx.Done():
		return
	}
	end := corev1.ContainerStateTerminated{}
	if rand.N(10) == 0 {
		end.ExitCode = 1
	}
	_ = node.Report(ctx, apiserver.Client, pod, func(status *corev1.PodStatus) { node.SetExit(status, end) })
}

// takeAway stops a pod that is being deleted.
func (k *kubelet) takeAway(ctx context.Context, pod *corev1.Pod) {
	if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
		end := corev1.ContainerStateTerminated{ExitCode: 143}
		_ = node.Report(ctx, apiserver.Client, pod, func(status *corev1.PodStatus) { node.SetExit(status, end) })
	}
	_ = apiserver.Client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &pod.UID})
}
