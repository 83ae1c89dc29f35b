import test from 'ava';

throw new Error('the file cannot be loaded');
