package Shop;

# A small web application with a job table. It knows a database, and nothing of Kubernetes.
use Moose;
use namespace::autoclean;
use Catalyst;

extends 'Catalyst';

__PACKAGE__->config(
    name                                        => 'Shop',
    disable_component_resolution_regex_fallback => 1,
    'Model::Jobs'                               => { dsn => $ENV{SHOP_DSN}, user => $ENV{SHOP_USER}, password => $ENV{SHOP_PASSWORD} },
);
__PACKAGE__->setup();

1;
