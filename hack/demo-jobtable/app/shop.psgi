use lib '/app/lib';
use Shop;
Shop->apply_default_middlewares(Shop->psgi_app);
