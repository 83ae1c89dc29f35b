package Shop::Schema::Job;

use strict;
use warnings;
use JSON::PP ();
use parent 'DBIx::Class::Core';

__PACKAGE__->table('job');
__PACKAGE__->add_columns(id => { is_auto_increment => 1 }, map { $_ => {} } qw(test_id status created data));
__PACKAGE__->set_primary_key('id');

# details are what the data says, for a page.
sub details {
    my $self = shift;
    my $data = eval { JSON::PP::decode_json($self->data // '{}') } || {};
    return ($data->{verdict} // '', $data->{message} // '', @{ $data->{steps} || [] });
}

1;
