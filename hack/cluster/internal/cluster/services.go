package cluster

import (
	"context"
	"fmt"
	"strings"

	"github.com/testrun-dev/testrun/hack/cluster/internal/layout"
)

// service is a component that runs as a process.
type service struct {
	name   string
	args   []string
	health string // the URL that answers 200 when it works
	// after must work before this one is started: everything else starts side by side.
	after string
	// before is done when after works: what this component needs in the API server.
	before func(context.Context) error
}

// services lists the components in the order of their start.
func (c *Cluster) services() []service {
	services := []service{
		{name: "containerd", args: []string{"--config", c.Layout.ConfigFile("containerd.toml")}},
		{name: "etcd", args: c.etcdArgs(), health: layout.EtcdServer + "/health"},
		{name: "kube-apiserver", args: c.apiserverArgs(), health: layout.APIServer + "/readyz", after: "etcd"},
		{
			name: "kube-controller-manager", args: c.controllerManagerArgs(), after: "kube-apiserver",
			health: "https://" + layout.NodeIP + ":10257/healthz",
		},
		{
			name: "kube-scheduler", args: c.controllerArgs("kube-scheduler"), after: "kube-apiserver",
			health: "https://" + layout.NodeIP + ":10259/readyz",
		},
		{
			name: "kubelet", args: c.kubeletArgs(), after: "kube-apiserver",
			health: "http://" + layout.NodeIP + ":10248/healthz",
		},
		{
			name: "kube-proxy", args: []string{"--config", c.Layout.ConfigFile("kube-proxy.yaml")}, after: "kube-apiserver",
			health: "http://" + layout.NodeIP + ":10256/livez",
		},
		{
			name: "coredns", args: []string{"-conf", c.Layout.ConfigFile("Corefile")}, after: "kube-apiserver",
			health: "http://" + layout.NodeIP + ":8181/ready", before: c.applyDNS,
		},
	}
	if c.simulates() {
		services = append(services, service{
			name: kwok, args: c.kwokArgs(), after: "kube-apiserver", health: "http://" + kwokAddress + "/healthz",
		})
	}
	return services
}

// service finds one by name.
func (c *Cluster) service(name string) (service, error) {
	var known []string
	for _, s := range c.services() {
		if s.name == name {
			return s, nil
		}
		known = append(known, s.name)
	}
	return service{}, fmt.Errorf("no component is called %q; there are: %s", name, strings.Join(known, ", "))
}

func (c *Cluster) etcdArgs() []string {
	// There are no peers, but etcd listens for them.
	const etcdPeer = "https://" + layout.NodeIP + ":2380"
	return []string{
		"--name=testrun", "--data-dir=" + c.Layout.EtcdData(),
		"--listen-client-urls=" + layout.EtcdServer, "--advertise-client-urls=" + layout.EtcdServer,
		"--listen-peer-urls=" + etcdPeer, "--initial-advertise-peer-urls=" + etcdPeer, "--initial-cluster=testrun=" + etcdPeer,
		"--peer-cert-file=" + c.Layout.Cert("etcd.crt"), "--peer-key-file=" + c.Layout.Cert("etcd.key"),
		"--peer-client-cert-auth", "--peer-trusted-ca-file=" + c.Layout.Cert(etcdCA+".crt"),
		"--cert-file=" + c.Layout.Cert("etcd.crt"), "--key-file=" + c.Layout.Cert("etcd.key"),
		"--client-cert-auth", "--trusted-ca-file=" + c.Layout.Cert(etcdCA+".crt"),
		// Data that a power cut may lose is fine in a cluster that is thrown away, and saves the disk a lot of work.
		"--unsafe-no-fsync",
		"--auto-compaction-retention=1h", "--logger=zap", "--log-level=warn",
	}
}

func (c *Cluster) apiserverArgs() []string {
	cert := c.Layout.Cert
	return []string{
		"--bind-address=" + layout.NodeIP, "--advertise-address=" + layout.NodeIP, "--secure-port=6443",
		"--tls-cert-file=" + cert("apiserver.crt"), "--tls-private-key-file=" + cert("apiserver.key"),
		"--client-ca-file=" + cert(clusterCA+".crt"), "--cert-dir=" + c.Layout.PKI(),
		"--etcd-servers=" + layout.EtcdServer, "--etcd-cafile=" + cert(etcdCA+".crt"),
		"--etcd-certfile=" + cert("apiserver-etcd-client.crt"), "--etcd-keyfile=" + cert("apiserver-etcd-client.key"),
		"--service-cluster-ip-range=" + layout.ServiceCIDR,
		"--service-account-issuer=https://kubernetes.default.svc." + layout.ClusterDomain,
		"--service-account-key-file=" + cert("service-account.key"),
		"--service-account-signing-key-file=" + cert("service-account.key"),
		"--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction", "--allow-privileged=true",
		"--kubelet-preferred-address-types=InternalIP", "--kubelet-certificate-authority=" + cert(clusterCA+".crt"),
		"--kubelet-client-certificate=" + cert("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + cert("apiserver-kubelet-client.key"),
		"--requestheader-client-ca-file=" + cert(frontProxyCA+".crt"), "--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User", "--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + cert("front-proxy-client.crt"), "--proxy-client-key-file=" + cert("front-proxy-client.key"),
	}
}

// controllerArgs are common to the two that act through the API server only.
func (c *Cluster) controllerArgs(name string) []string {
	kubeconfig := c.Layout.Cert(name + ".kubeconfig")
	return []string{
		"--kubeconfig=" + kubeconfig, "--authentication-kubeconfig=" + kubeconfig, "--authorization-kubeconfig=" + kubeconfig,
		"--bind-address=" + layout.NodeIP, "--leader-elect=false", "--profiling=false",
		"--tls-cert-file=" + c.Layout.Cert("node.crt"), "--tls-private-key-file=" + c.Layout.Cert("node.key"),
		// Kubernetes' own default, 20 requests a second, would be all that a benchmark sees.
		"--kube-api-qps=1000", "--kube-api-burst=1000",
	}
}

func (c *Cluster) controllerManagerArgs() []string {
	return append(c.controllerArgs("kube-controller-manager"),
		"--use-service-account-credentials", "--root-ca-file="+c.Layout.Cert(clusterCA+".crt"),
		"--service-account-private-key-file="+c.Layout.Cert("service-account.key"),
		"--cluster-signing-cert-file="+c.Layout.Cert(clusterCA+".crt"), "--cluster-signing-key-file="+c.Layout.Cert(clusterCA+".key"),
		"--service-cluster-ip-range="+layout.ServiceCIDR, "--allocate-node-cidrs=false",
	)
}

func (c *Cluster) kubeletArgs() []string {
	return []string{
		"--config=" + c.Layout.ConfigFile("kubelet.yaml"), "--kubeconfig=" + c.Layout.Cert("kubelet.kubeconfig"),
		"--root-dir=" + layout.KubeletDir, "--cert-dir=" + layout.KubeletDir + "/pki",
		"--hostname-override=" + layout.NodeName, "--node-ip=" + layout.NodeIP,
	}
}

const kwokAddress = layout.NodeIP + ":10247"

func (c *Cluster) kwokArgs() []string {
	return []string{
		"--config=" + c.Layout.ConfigFile(kwokFile), "--kubeconfig=" + c.Layout.Cert(kwok+".kubeconfig"),
		"--server-address=" + kwokAddress, "--v=WARN", // below that it tells of each patch
	}
}
