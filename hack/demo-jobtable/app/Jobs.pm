package Shop::Model::Jobs;

# The job table, through DBIx::Class.
use Moose;
use namespace::autoclean;
use Shop::Schema;

extends 'Catalyst::Model';

has [qw(dsn user password)] => (is => 'ro');
has schema => (is => 'ro', lazy => 1, default => sub {
    my $self = shift;
    return Shop::Schema->connect($self->dsn, $self->user, $self->password, { AutoCommit => 1, RaiseError => 1 });
});

sub jobs { return shift->schema->resultset('Job') }

__PACKAGE__->meta->make_immutable;
1;
