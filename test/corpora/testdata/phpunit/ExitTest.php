<?php
class ExitTest extends PHPUnit\Framework\TestCase {
    function testBefore() { $this->assertTrue(true); }
    function testLeaves() { exit(0); }
}
