<?php
class DependsTest extends PHPUnit\Framework\TestCase {
    function testFirst() { $this->assertTrue(false); }
    /** @depends testFirst */
    function testSecond() { $this->assertTrue(true); }
}
