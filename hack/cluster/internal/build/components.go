// Package build compiles the cluster's programs from the Go modules below components/.
package build

import (
	"fmt"
	"slices"
	"strings"
)

// Component is one program to build.
type Component struct {
	Name      string // the file's name below bin/k8s
	Module    string // the folder of its module, below hack/cluster
	Package   string
	LDFlags   string
	Tags      string
	CGO       bool
	FirstTime string // what to expect with an empty build cache on two cores
	OnDemand  bool   // built when its name is given, and not with all
}

// Versions that a program cannot know by itself. The code's version is in the module's go.mod; a test compares.
const (
	kubernetesVersion = "v1.37.2"
	containerdVersion = "v2.4.2"
	runcVersion       = "1.5.2"
	cniVersion        = "v1.9.1"
	kueueVersion      = "v0.17.0"
)

// Components lists all programs, those first that need the longest or that tests need.
func Components() []Component {
	return []Component{
		kubernetes("kube-apiserver", "about 4 minutes"),
		{Name: "etcd", Module: "components/etcd", Package: ".", FirstTime: "about 30 seconds"},
		kubernetes("kubectl", "about 20 seconds"),
		kubernetes("kube-controller-manager", "about 2 minutes"),
		kubernetes("kube-scheduler", "about 10 seconds"),
		kubernetes("kubelet", "about 30 seconds"),
		kubernetes("kube-proxy", "about 10 seconds"),
		containerd("containerd", "about 1 minute"),
		containerd("containerd-shim-runc-v2", "a few seconds"),
		containerd("ctr", "a few seconds"),
		{
			Name: "runc", Module: "components/runc", Package: "github.com/opencontainers/runc",
			// Without seccomp no pod of the restricted Pod Security Standard starts.
			LDFlags: "-X main.version=" + runcVersion, Tags: "seccomp", CGO: true, FirstTime: "about 20 seconds",
		},
		cni("main/bridge"),
		cni("ipam/host-local"),
		{Name: "coredns", Module: "components/coredns", Package: ".", FirstTime: "about a minute"},
		{Name: "pause", Module: ".", Package: "./pause", FirstTime: "a few seconds"},
		{Name: "kwok", Module: "components/kwok", Package: "sigs.k8s.io/kwok/cmd/kwok", FirstTime: "about a minute", OnDemand: true},
		{
			Name: "kueue-manager", Module: "components/kueue", Package: "sigs.k8s.io/kueue/cmd/kueue",
			LDFlags:   "-X sigs.k8s.io/kueue/pkg/version.GitVersion=" + kueueVersion,
			FirstTime: "about 5 minutes", OnDemand: true,
		},
		{
			Name: "kustomize-controller", Module: "components/flux", Package: "github.com/fluxcd/kustomize-controller",
			FirstTime: "about 5 minutes", OnDemand: true,
		},
	}
}

// Select returns the named components. When no name is given these are all that a cluster needs.
func Select(names []string) ([]Component, error) {
	all := Components()
	if len(names) == 0 {
		return slices.DeleteFunc(all, func(c Component) bool { return c.OnDemand }), nil
	}
	byName := map[string]Component{}
	var known []string
	for _, c := range all {
		byName[c.Name] = c
		known = append(known, c.Name)
	}
	var selected []Component
	for _, name := range names {
		c, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("no component is called %q; there are: %s", name, strings.Join(known, ", "))
		}
		selected = append(selected, c)
	}
	return selected, nil
}

func kubernetes(name, firstTime string) Component {
	const version = "k8s.io/component-base/version."
	return Component{
		Name: name, Module: "components/kubernetes", Package: "k8s.io/kubernetes/cmd/" + name,
		LDFlags: "-X " + version + "gitVersion=" + kubernetesVersion + " -X " + version + "gitMajor=1 -X " +
			version + "gitMinor=37 -X " + version + "gitTreeState=clean",
		FirstTime: firstTime,
	}
}

func containerd(name, firstTime string) Component {
	const module = "github.com/containerd/containerd/v2/"
	return Component{
		Name: name, Module: "components/containerd", Package: module + "cmd/" + name,
		LDFlags: "-X " + module + "version.Version=" + containerdVersion, FirstTime: firstTime,
	}
}

// cni plugins get a folder of their own: one of them is called bridge, as is a program of iproute2.
func cni(path string) Component {
	const module = "github.com/containernetworking/plugins/"
	return Component{
		Name: "cni/" + path[strings.LastIndex(path, "/")+1:], Module: "components/cni", Package: module + "plugins/" + path,
		LDFlags: "-X " + module + "pkg/utils/buildversion.BuildVersion=" + cniVersion, FirstTime: "a few seconds",
	}
}
