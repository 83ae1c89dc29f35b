// Package layout says where everything of the cluster is: files, addresses, names. Nothing else spells a path.
package layout

import (
	"errors"
	"os"
	"path/filepath"
)

// The addresses and names of the one cluster that a machine can hold.
const (
	NodeName      = "testrun-node"
	NodeLink      = "testrun0"     // a bridge without ports: carries the node's address
	PodLink       = "testrun-pods" // the bridge that the CNI plugin plugs pods into
	NodeIP        = "10.250.0.1"
	NodeNet       = NodeIP + "/32"
	PodCIDR       = "10.244.0.0/22"
	ServiceCIDR   = "10.96.0.0/16"
	APIServiceIP  = "10.96.0.1"
	DNSServiceIP  = "10.96.0.10"
	ClusterDomain = "cluster.local"
	APIServer     = "https://" + NodeIP + ":6443"
	EtcdServer    = "https://" + NodeIP + ":2379"
	PauseImage    = "testrun.invalid/cluster/pause:1"

	// CgroupRoot holds every pod's cgroup, so that all of them can be found without asking anyone.
	CgroupRoot = "testrun-cluster"
	// NFTable keeps pods from sending anything out of the machine.
	NFTable = "testrun-cluster"
	// Mark is the environment variable that every process of the cluster carries; a pod's shim inherits it.
	Mark = "TESTRUN_CLUSTER_COMPONENT"
)

// There is one cluster a machine, whichever clone started it: these folders belong to it. They are short because a
// Unix socket's path may not exceed 107 bytes and because kubelet and containerd mount below them.
const (
	RunDir = "/run/testrun-cluster"
	VarDir = "/var/lib/testrun-cluster"

	OwnerFile        = VarDir + "/owner"
	SysctlFile       = VarDir + "/sysctl.json"
	KubeletDir       = VarDir + "/kubelet"
	PodLogDir        = VarDir + "/pod-logs"
	ContainerdRoot   = VarDir + "/containerd"
	RecordDir        = RunDir + "/pids"
	ContainerdState  = RunDir + "/containerd"
	ContainerdSocket = RunDir + "/containerd.sock"
	ShimSockets      = RunDir + "/s"
	RuncState        = RunDir + "/runc"
	IPAMDir          = RunDir + "/ipam"
)

// Layout is the part that depends on the clone.
type Layout struct {
	Repo string // the repository's root
}

// Find looks for the repository upwards from dir.
func Find(dir string) (Layout, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Layout{}, err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "hack", "cluster", "go.mod")); err == nil {
			return Layout{Repo: dir}, nil
		}
		if dir == filepath.Dir(dir) {
			return Layout{}, errors.New("not inside the repository: run this from a folder of it")
		}
	}
}

// Module is the folder of this program.
func (l Layout) Module() string { return filepath.Join(l.Repo, "hack", "cluster") }

// Bin holds the programs; it is what KUBEBUILDER_ASSETS points at.
func (l Layout) Bin() string { return filepath.Join(l.Repo, "bin", "k8s") }

// Program is the path of one program.
func (l Layout) Program(name string) string { return filepath.Join(l.Bin(), name) }

// PauseTar is the image of the pause program.
func (l Layout) PauseTar() string { return filepath.Join(l.Bin(), "pause.tar") }

// Debs keeps the Debian packages that images are made from.
func (l Layout) Debs() string { return filepath.Join(l.Repo, "bin", "deb") }

// State is the folder that a person looks into: kubeconfig and logs. `down` removes it.
func (l Layout) State() string { return filepath.Join(l.Repo, ".cluster") }

// Kubeconfig is the administrator's.
func (l Layout) Kubeconfig() string { return filepath.Join(l.State(), "kubeconfig") }

// Logs holds one log a component.
func (l Layout) Logs() string { return filepath.Join(l.State(), "logs") }

// Log is the log of one component.
func (l Layout) Log(name string) string { return filepath.Join(l.Logs(), name+".log") }

// PKI holds certificates, keys and the components' kubeconfigs.
func (l Layout) PKI() string { return filepath.Join(l.State(), "pki") }

// Cert is a file below PKI.
func (l Layout) Cert(name string) string { return filepath.Join(l.PKI(), name) }

// Config holds the configuration files as they were written for this cluster.
func (l Layout) Config() string { return filepath.Join(l.State(), "config") }

// ConfigFile is a file below Config.
func (l Layout) ConfigFile(name string) string { return filepath.Join(l.Config(), name) }

// EtcdData is what the API server stores.
func (l Layout) EtcdData() string { return filepath.Join(l.State(), "etcd") }

// Resolve makes a path from the command line absolute: relative ones start at the repository's root, since
// `go run -C` has changed the working folder before the program could see it.
func (l Layout) Resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(l.Repo, path)
}
